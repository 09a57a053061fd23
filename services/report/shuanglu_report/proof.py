"""Hashes of everything that was recorded, so that a report can be tied to its recording years later."""

from collections.abc import Iterable

from shuanglu.media.v1.media_events_pb2 import TrackStored
from shuanglu.media.v1.track_pb2 import Track
from shuanglu.report.v1.report_pb2 import Proof, TrackProof
from shuanglu_report.domain.hashes import segments_sha256


def missing_tracks(wanted: Iterable[Track], stored: Iterable[TrackStored]) -> list[str]:
    """Ids of tracks that were judged but whose segments are not known here, or known only from an earlier import."""
    known = {item.track.track_id: item for item in stored}
    return [
        track.track_id
        for track in wanted
        if track.track_id not in known or known[track.track_id].track.init.sha256 != track.init.sha256
    ]


def prove(wanted: Iterable[Track], stored: Iterable[TrackStored]) -> Proof:
    """Proof over the tracks that were judged, ordered by track id and segment index, whatever order they came in."""
    known = {item.track.track_id: item for item in stored}
    tracks = []
    for track_id in sorted({track.track_id for track in wanted}):
        segments = sorted(known[track_id].segments, key=lambda segment: segment.index)
        hashes = [segment.object.sha256 for segment in segments]
        tracks.append(TrackProof(track=known[track_id].track, segment_sha256=hashes))
    every = [value for track in tracks for value in track.segment_sha256]
    return Proof(tracks=tracks, recording_sha256=segments_sha256(every))
