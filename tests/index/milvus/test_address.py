import pytest

from index.milvus.address import MilvusAddress, is_milvus, read_milvus_url


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("milvus+http://milvus:19530", MilvusAddress("http://milvus:19530")),
        ("milvus+http://milvus", MilvusAddress("http://milvus:19530")),
        ("milvus+https://[::1]:443/", MilvusAddress("https://[::1]:443")),
        (
            "milvus+https://ada:p%40ss@host:19530/bank?prefix=fraud&index=hnsw",
            MilvusAddress("https://host:19530", "ada:p@ss", "bank", "fraud", "HNSW"),
        ),
        ("milvus+https://a-token@host", MilvusAddress("https://host:19530", "a-token")),
        ("milvus+file:///srv/index.db", MilvusAddress("/srv/index.db")),
        (
            "milvus+file:///srv/my%20index.db?index=FLAT",
            MilvusAddress("/srv/my index.db", index_type="FLAT"),
        ),
    ],
)
def test_an_address_is_read(url, expected):
    assert read_milvus_url(url) == expected
    assert is_milvus(url)
    assert expected.is_file == url.startswith("milvus+file")


@pytest.mark.parametrize(
    "url",
    [
        "faiss:",
        "milvus:",
        "http://secret:secret@host",
        "milvus+http://",
        "milvus+http://secret@host:secret",
        "milvus+http://host:70000",
        "milvus+http://host#secret",
        "milvus+file://secret/index.db",
        "milvus+file:index.db",
        "milvus+file:///srv/index",
        "milvus+file:///srv/.db",
        "milvus+http://host?prefix=secret-name",
        "milvus+http://host?prefix=1",
        "milvus+http://host?index=secret",
        "milvus+http://host?password=secret",
    ],
)
def test_what_is_no_address_is_refused_without_repeating_it(url):
    with pytest.raises(ValueError, match=r"milvus\+http://host:19530") as refused:
        read_milvus_url(url)
    assert "secret" not in str(refused.value)


def test_neither_identity_nor_display_holds_the_secret():
    address = read_milvus_url("milvus+https://ada:secret@host/bank")
    assert "secret" not in address.identity + repr(address)
    assert address.identity == read_milvus_url("milvus+https://bo:other@host/bank").identity
    assert address.identity != read_milvus_url("milvus+https://ada:secret@host/other").identity
