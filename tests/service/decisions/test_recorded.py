"""What verify and identify record of their decisions."""

from sqlalchemy import create_engine, text

from service.decisions.compare import compare
from service.decisions.recording import Asked
from service.decisions.verify import verify


def test_verify_and_identify_leave_a_chain_of_decisions_without_names(
    services, uploads, settings, known, ask
):
    writer_id = known(1, count=2)
    probe = uploads(1, 9)[0]
    verified = verify(
        writer_id,
        probe,
        encoder=services.encoder,
        registry=services.registry,
        asked=Asked("clerk"),
    )
    found = ask(probe)
    compare(uploads(1, 0), probe, encoder=services.encoder)
    report = services.registry.decisions.verify()
    assert (report.length, report.intact) == (2, True)
    engine = create_engine(settings.database_url)
    with engine.connect() as connection:
        query = text("SELECT * FROM decisions ORDER BY sequence")
        rows = connection.execute(query).mappings().all()
    engine.dispose()
    first, second = rows
    assert (first["decision_id"], first["kind"]) == (verified.decision_id, "verify")
    assert (first["writer_id"], first["caller"]) == (writer_id, "clerk")
    assert (first["score"], first["threshold"]) == (
        verified.comparison.score,
        verified.comparison.threshold,
    )
    assert first["model_id"] == services.encoder.model_id
    assert first["probe_sha256"] == second["probe_sha256"] == probe.sha256
    assert (second["decision_id"], second["kind"]) == (found.decision_id, "identify")
    assert "Writer 1" not in str([dict(row) for row in rows])
