"""How many OpenMP threads FAISS may use in this thread: one."""

import threading

import faiss

_this_thread = threading.local()


def use_one_faiss_thread() -> None:
    """Keep FAISS to the calling thread; call it before each use, it costs nothing the next time.

    The setting is each thread's own. With two OpenMP threads a search for one probe takes three
    times as long, a change is too small to share, and training must leave a core to the searches.
    """
    if not getattr(_this_thread, "is_set", False):
        faiss.omp_set_num_threads(1)
        _this_thread.is_set = True
