"""TargetFinder: boosted trees on the features of pairs (Whalen, Truty and Pollard 2016)."""

from __future__ import annotations

VARIANTS: dict[str, tuple[str, ...]] = {
    "TargetFinder (E/P)": ("enhancer", "promoter"),
    "TargetFinder (EE/P)": ("extended enhancer", "promoter"),
    "TargetFinder (E/P/W)": ("enhancer", "promoter", "window"),
}
