"""`countersign enroll` and `writers show`: copies refused, strangers and standings shown."""

import json

from encoder.synthesis import encode_png, synthetic_writer


def scans(folder, *drawn):
    paths = []
    for seed, n in drawn:
        path = folder / f"{seed}-{n}.png"
        path.write_bytes(encode_png(synthetic_writer(seed).genuine(n)))
        paths.append(str(path))
    return paths


def test_a_stranger_is_pointed_out_and_shown(run, tmp_path):
    run("db", "upgrade")
    paths = scans(tmp_path, (1, 0), (1, 1), (1, 2), (1, 3), (2, 0))
    done = run("enroll", "C-1", "--name", "Ada", *paths)
    assert done.exit_code == 0, done.output
    assert "'2-0.png' is unlike the other 4 references" in " ".join(done.stdout.split())
    shown = run("writers", "show", "C-1", "--json")
    answer = json.loads(shown.stdout)
    assert answer["name"] == "Ada"
    standing = [(one["filename"], one["standing"]) for one in answer["references"]]
    assert standing[3:] == [("1-3.png", "typical"), ("2-0.png", "unlike-others")]
    table = run("writers", "show", "C-1").stdout
    assert "unlike-others" in table
    assert "Ada" in table


def test_nobody_is_shown_who_is_not_known(run):
    run("db", "upgrade")
    assert run("writers", "show", "C-9").exit_code == 2
