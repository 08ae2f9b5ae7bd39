from dataclasses import replace

import pytest

from index.errors import (
    InvalidCursor,
    InvalidVector,
    InvalidWriter,
    UnknownModel,
    UnknownWriter,
    WriterExists,
)
from index.registry.models import GallerySize
from index.registry.writers import NewEnrollment

MODEL = "a" * 64


def test_a_writer_is_created_with_references_in_one_go(registry, new_references):
    writer, references = registry.writers.create("C-1", "Ada Lind", MODEL, new_references(3))

    assert (writer.writer_id, writer.name, writer.reference_count) == ("C-1", "Ada Lind", 3)
    assert writer.created_at.utcoffset().total_seconds() == 0
    assert registry.writers.get("C-1") == writer
    assert registry.references.of_writer("C-1") == references
    assert references[0].quality == {"ink_height_px": 40, "warnings": []}


def test_a_second_writer_of_the_same_id_is_refused(registry, new_references):
    registry.writers.create("C-1", "Ada Lind")
    with pytest.raises(WriterExists):
        registry.writers.create("C-1", "Someone Else", MODEL, new_references(1))
    assert registry.writers.get("C-1").name == "Ada Lind"
    assert registry.writers.get("C-1").reference_count == 0


def test_a_writer_whose_references_are_refused_is_not_created(registry, new_references):
    twice = new_references(1) * 2
    with pytest.raises(Exception, match="twice in this request"):
        registry.writers.create("C-1", "Ada Lind", MODEL, twice)
    with pytest.raises(UnknownWriter):
        registry.writers.get("C-1")


@pytest.mark.parametrize("writer_id", ["", "-a", "a b", "a" * 65, "é", "a/b", "a\n", ".."])
def test_an_id_that_cannot_be_kept_is_refused(registry, writer_id):
    with pytest.raises(InvalidWriter):
        registry.writers.create(writer_id, "Name")


@pytest.mark.parametrize("name", ["x" * 201, "a\nb", "nul\0", "half \ud83d"])
def test_a_name_that_cannot_be_kept_is_refused(registry, name):
    registry.writers.create("C-1", "Name")
    with pytest.raises(InvalidWriter):
        registry.writers.create("C-2", name)
    with pytest.raises(InvalidWriter):
        registry.writers.rename("C-1", name)


def test_a_writer_is_renamed_and_found_by_the_new_name_only(registry):
    registry.writers.create("C-1", "Ada Lind")
    assert registry.writers.rename("C-1", "Ada Berg").name == "Ada Berg"
    assert not registry.writers.page(search="lind").writers
    assert [writer.name for writer in registry.writers.page(search="BERG").writers] == ["Ada Berg"]
    with pytest.raises(UnknownWriter):
        registry.writers.rename("C-2", "Nobody")


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("100%", ["a-1"]),
        ("%", ["a-1"]),
        ("_", ["a_2"]),
        ("/", ["b-3"]),
        ("ÉLODIE", ["b-3"]),
        ("straSSE", ["c-4"]),
        ("A_", ["a_2"]),
        ("-", ["a-1", "b-3", "c-4"]),
        ("nobody", []),
        ("elodie", ["b-3"]),
        ("lind sure", ["a-1"]),
        ("Marc, Élodie", ["b-3"]),
        ("lind nobody", []),
        ("  ", ["a-1", "a_2", "b-3", "c-4"]),
        ("", ["a-1", "a_2", "b-3", "c-4"]),
    ],
)
def test_search_finds_words_in_id_and_name_in_any_order_and_no_wildcards(registry, search, found):
    for writer_id, name in [
        ("a-1", "Sure 100% Lind"),
        ("a_2", "Bo Ek"),
        ("b-3", "Élodie / Marc"),
        ("c-4", "Straße"),
    ]:
        registry.writers.create(writer_id, name)
    page = registry.writers.page(search=search)
    assert [writer.writer_id for writer in page.writers] == found
    assert page.next_cursor is None


@pytest.mark.parametrize(
    ("name", "searches"),
    [
        ("Jürgen Müller", ["muller", "Müller", "MÜLLER jurgen"]),
        ("Muller", ["müller"]),
        ("Łukasz Żółć", ["lukasz", "zolc"]),
        ("Søren Đorđe", ["soren dorde", "SØREN"]),
        ("Nguyễn Thị Ánh", ["nguyen anh"]),
        (
            "İpek I\N{LATIN SMALL LETTER S WITH CEDILLA}\N{LATIN SMALL LETTER DOTLESS I}k",
            ["ipek", "isik"],
        ),
        ("Γιώργος", ["γιωργος", "ΓΙΩΡΓΟΣ"]),
        ("Алёна", ["алена"]),
        ("Jose\N{COMBINING ACUTE ACCENT}", ["jose", "josé"]),
    ],
)
def test_search_finds_names_without_their_accents(registry, name, searches):
    registry.writers.create("C-1", name)
    registry.writers.create("C-2", "Somebody Else")
    for search in searches:
        page = registry.writers.page(search=search)
        assert [writer.writer_id for writer in page.writers] == ["C-1"], search


@pytest.mark.parametrize("limit", [1, 2, 3, 50])
def test_whoever_has_the_very_id_comes_first_and_once(registry, limit):
    for writer_id in ("A-b1", "B1", "b1", "b10", "c-b1", "x"):
        registry.writers.create(writer_id, "")
    seen, cursor = [], None
    while True:
        page = registry.writers.page(cursor=cursor, limit=limit, search=" b1 ")
        seen += [writer.writer_id for writer in page.writers]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == ["b1", "B1", "A-b1", "b10", "c-b1"]


def test_pages_show_each_writer_once_in_order_even_while_others_come_and_go(registry):
    names = [f"W{number:02d}" for number in range(25)]
    for name in reversed(names):
        registry.writers.create(name, name)
    seen, cursor = [], None
    while True:
        page = registry.writers.page(cursor=cursor, limit=7)
        seen += [writer.writer_id for writer in page.writers]
        cursor = page.next_cursor
        if cursor is None:
            break
        assert len(page.writers) == 7
        # The writer that the cursor stands on may go, and another may come before it.
        registry.writers.erase(page.writers[-1].writer_id)
        registry.writers.create(f"A{len(seen)}", "before")
    assert seen == names


def test_the_last_full_page_has_no_next(registry):
    for number in range(4):
        registry.writers.create(f"W{number}", "")
    first = registry.writers.page(limit=2)
    assert registry.writers.page(cursor=first.next_cursor, limit=2).next_cursor is None


@pytest.mark.parametrize("cursor", ["", "!", "é", "AAAA", "====", "a", "Q" * 500])
def test_a_made_up_cursor_is_refused(registry, cursor):
    with pytest.raises(InvalidCursor):
        registry.writers.page(cursor=cursor)


def test_erasing_a_writer_leaves_the_others(registry, new_references):
    registry.writers.create("C-1", "Ada Lind", MODEL, new_references(3, seed=1))
    registry.writers.create("C-2", "Bo Ek", MODEL, new_references(2, seed=2))
    assert registry.writers.erase("C-1").reference_count == 3
    with pytest.raises(UnknownWriter):
        registry.writers.get("C-1")
    with pytest.raises(UnknownWriter):
        registry.writers.erase("C-1")
    assert registry.writers.get("C-2").reference_count == 2
    assert registry.models.gallery_size(MODEL).writers == 1


# Enrolling many in one transaction, again and again without harm


@pytest.fixture
def enrollments(new_references):
    """Three references of C-1, two of C-2, and C-3 without any."""
    ada, bo = new_references(3, seed=1), new_references(2, seed=2)
    return [
        *(NewEnrollment("C-1", "Ada Lind", one) for one in ada),
        *(NewEnrollment("C-2", "", one) for one in bo),
        NewEnrollment("C-3", "Cy Berg"),
    ]


def everyone(registry):
    return {
        one.writer_id: (one.name, one.reference_count) for one in registry.writers.page().writers
    }


def test_writers_and_references_are_enrolled_together(registry, enrollments, open_gallery):
    gallery = open_gallery()
    assert registry.writers.enroll_many(MODEL, enrollments) == 5
    assert everyone(registry) == {"C-1": ("Ada Lind", 3), "C-2": ("", 2), "C-3": ("Cy Berg", 0)}
    assert registry.models.gallery_size(MODEL) == GallerySize(2, 5)
    claim = registry.embeddings.claim("C-1", MODEL)
    assert claim.vectors.tobytes() == b"".join(
        x.reference.vector.tobytes() for x in enrollments[:3]
    )
    assert registry.writers.page(search="lind").writers[0].writer_id == "C-1"
    assert gallery.search(claim.vectors[:1], 1)[0].reference_ids == claim.reference_ids[:1]
    assert gallery.check().clean


def test_again_it_adds_what_is_new_and_names_who_has_no_name(registry, enrollments, new_references):
    registry.writers.enroll_many(MODEL, enrollments)
    late = NewEnrollment("C-2", "Bo Ek", new_references(1, seed=3)[0])
    same = NewEnrollment("C-1", "Eve", enrollments[0].reference)
    assert registry.writers.enroll_many(MODEL, [same, late, late, *enrollments]) == 1
    assert everyone(registry) == {
        "C-1": ("Ada Lind", 3),
        "C-2": ("Bo Ek", 3),
        "C-3": ("Cy Berg", 0),
    }
    assert registry.models.gallery_size(MODEL) == GallerySize(2, 6)
    assert registry.writers.enroll_many(MODEL, []) == 0


def test_which_images_are_held_is_asked_by_writer(registry, enrollments):
    registry.writers.enroll_many(MODEL, enrollments)
    first = enrollments[0].reference.sha256
    asked = {("C-1", first), ("C-2", first), ("C-9", first), ("C-1", "0" * 64)}
    assert registry.references.held(asked) == {("C-1", first)}
    assert registry.references.held([]) == set()


def test_all_or_nothing(registry, enrollments):
    long = replace(enrollments[0].reference, vector=enrollments[0].reference.vector * 2)
    for model_id, bad, error in (
        ("b" * 64, enrollments[0], UnknownModel),
        (MODEL, NewEnrollment("no id", ""), InvalidWriter),
        (MODEL, NewEnrollment("C-4", "a\x00b"), InvalidWriter),
        (MODEL, NewEnrollment("C-4", "", long), InvalidVector),
    ):
        with pytest.raises(error):
            registry.writers.enroll_many(model_id, [*enrollments[3:], bad])
    assert everyone(registry) == {}
    assert registry.changes.revision() == 0
