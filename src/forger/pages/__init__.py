"""What forger's pages for a browser share: the frame and the looks of a page, and a server for this machine alone."""
