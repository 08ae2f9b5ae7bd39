"""How many threads numpy's products may use in this process: one."""

from functools import cache

from threadpoolctl import threadpool_limits


@cache
def limit_blas_to_one_thread() -> None:
    """Keep products to the calling thread; call it before many small ones, the rest is free.

    A product of two signatures' pieces is too small to share. OpenBLAS shares it all the same, and
    its threads wait for each other in a loop: where all cores have work, a product of a tenth of a
    millisecond then takes thirty milliseconds.
    """
    threadpool_limits(1, user_api="blas")
