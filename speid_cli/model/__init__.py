"""The network of Singh et al. 2016, its settings, its first weights and its file."""
