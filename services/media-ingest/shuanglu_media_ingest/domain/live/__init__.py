"""From the records of a media server to CMAF segments on one timeline. Pure: bytes in, bytes out.

How it is used, for each track of a session (one participant's sound or picture):

    track = LiveTrack(Medium.VIDEO, origin_us, segment_ms=2000)     # or LiveTrack.restored(checkpoint)
    for each file of the participant and kind, in the order of their connections:
        parser = MjrParser()                                        # or MjrParser(track.offset) to go on
        parser.feed(new_bytes) -> Header | Record | Damage, in order; only whole ones come out
        Header: segments += track.begin_file(connection, first_at_us)
        Record: segments += track.feed(record)
        Damage: track.damaged(damage)
        the file will not grow any more: what parser.finish() gives is fed like the rest; then comes the next file
    segments += track.finish()                                      # the recording is closed
    gaps = track.gaps(marks.of(all_marks, participant_id, Medium.VIDEO, origin_us), session_end_ms)

* `origin_us`: the session's start, the first byte of any track. `first_at_us`: when the file's first record arrived,
  from the file's header (`Header.first_at_us`), corrected by the caller for steps of the wall clock. Both are on one
  clock.
* A file is read to its end before the next one is begun; all files of a track are read. Then the same files give the
  same segments, however the bytes are divided among calls of `feed`.
* `checkpoint()` may be taken after any call; right after a segment was cut it is small (a key frame, tens of
  kilobytes). It notes `connection` and `offset`: where reading goes on. Restored, the track gives the very segments
  that it would have given. A checkpoint that is lost or of another version (CheckpointUnreadable) costs time alone:
  read the files again from the start.
* `init`, `codec`, `width`, `height` are known once the first segment is out. They never change.
"""
