"""One look for all reports: a page template, its parts, and pictures as SVG."""
