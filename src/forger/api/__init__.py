"""What `import forger` offers: runs, found or trained, and what their games can do, as functions of NumPy arrays."""
