"""An import keeps one of a signature and its copies, writer by writer."""

import cv2

from encoder.synthesis import encode_png, synthetic_writer


def jpeg(picture):
    return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 70])[1].tobytes()


def test_a_copy_is_refused_and_an_equal_file_is_passed_over(run, answer, tmp_path):
    run("db", "upgrade")
    for name, seed in (("W-1", 1), ("W-2", 2)):
        folder = tmp_path / "scans" / name
        folder.mkdir(parents=True)
        for n in range(3):
            (folder / f"{n}.png").write_bytes(encode_png(synthetic_writer(seed).genuine(n)))
    own = synthetic_writer(1).genuine(1)
    (tmp_path / "scans" / "W-1" / "again.jpg").write_bytes(jpeg(own))
    (tmp_path / "scans" / "W-1" / "equal.png").write_bytes(encode_png(own))
    # What is a copy for one writer is a reference of another.
    (tmp_path / "scans" / "W-2" / "of-another.jpg").write_bytes(jpeg(own))
    code, done = answer("import", tmp_path / "scans", "--batch-size", "2")
    assert (code, done["enrolled"], done["already_there"]) == (4, 7, 1)
    [refused] = done["refused"]
    assert (refused["code"], refused["writer_id"]) == ("near-duplicate", "W-1")
    assert refused["filename"] == "W-1/again.jpg"
    code, again = answer("import", tmp_path / "scans")
    assert (code, again["enrolled"], len(again["refused"])) == (4, 0, 1)
