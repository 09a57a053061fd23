"""What a report is: masking, proof, choice of stills, the page, replay links and playlists. Pure: no I/O, no clock."""
