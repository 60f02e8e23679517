"""The native kernels (C, optional) and the network's layers on them."""
