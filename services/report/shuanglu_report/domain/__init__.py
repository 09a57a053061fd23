"""What holds for every report: masking, hashes, links, lists, positions, playlists. Pure: no I/O, no contract."""
