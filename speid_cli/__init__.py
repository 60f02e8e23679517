"""speid: enhancer-promoter interactions from DNA sequence (Singh et al. 2016)."""

__version__ = "0.1.0"
