"""Who calls, as the audit trail names them."""

from contextlib import closing
from sqlite3 import connect


def test_decisions_asked_for_over_http_are_recorded_as_the_callers(client, services, known, files):
    writer_id = known(1, count=1)
    client.post(f"/v1/writers/{writer_id}/verify", data={"image": files(1, 9)[0]})
    client.post("/v1/identify", data={"image": files(1, 9)[0]})
    with closing(connect(services.settings.data_dir / "registry.db")) as registry:
        recorded = registry.execute("SELECT kind, caller FROM decisions ORDER BY sequence")
        assert recorded.fetchall() == [("verify", "anonymous"), ("identify", "anonymous")]
