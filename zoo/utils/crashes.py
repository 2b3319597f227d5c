"""Explaining crashes of native code, such as an allocation in a backend that fails and aborts the process.

Python's own signal handlers run between two bytecodes, which a crashed thread never reaches, so these are installed
in C. They run on the thread that crashed. Standard library only.
"""

import contextlib
import ctypes
import mmap
import os
import signal
import sys

from zoo.utils import process_memory

M_ARENA_MAX = -8  # parameter of glibc's mallopt
CRASH_SIGNALS = tuple(getattr(signal, name) for name in ("SIGABRT", "SIGSEGV", "SIGBUS") if hasattr(signal, name))
RESERVE_BYTES = 2**24
BAD_ALLOC = "St9bad_alloc"  # the name of std::bad_alloc in C++ libraries


@contextlib.contextmanager
def explain_crashes(explain):
    """Until the block ends, answer a crash by what `explain(signal name)` returns.

    It returns (message, exit status): the message is printed on stderr as it is when the block begins, and the process
    exits. Or None: then the crash takes its usual course. On Windows the block just runs.

    explain("") is called when the block begins: its answer is that to a crash that leaves Python too little memory.
    """
    if sys.platform == "win32":
        yield
        return
    if process_memory.get_address_space_limit():
        share_free_memory()
        silence_terminate()
    fallback = explain("")
    stderr = os.dup(2)  # backends are loaded with it redirected
    reserve = mmap.mmap(-1, RESERVE_BYTES)  # address space: nothing is written to it

    def handle(number):
        reserve.close()  # memory may have run out, and Python needs some
        try:
            try:
                explanation = explain(signal.Signals(number).name)
            except MemoryError:
                explanation = fallback
            if explanation:
                message, status = explanation
                os.write(stderr, f"{message}\n".encode())
                os._exit(status)
        finally:
            restore(number)
            signal.raise_signal(number)  # delivered when the handler has returned

    handler = ctypes.CFUNCTYPE(None, ctypes.c_int)(handle)
    set_handler = ctypes.CDLL(None).signal
    set_handler.argtypes, set_handler.restype = [ctypes.c_int, ctypes.c_void_p], ctypes.c_void_p

    def restore(number):
        set_handler(number, previous[number])

    previous = {number: set_handler(number, ctypes.cast(handler, ctypes.c_void_p)) for number in CRASH_SIGNALS}
    # a program can inherit blocked signals from the one that started it: these would stay pending, or kill unexplained
    mask = signal.pthread_sigmask(signal.SIG_UNBLOCK, CRASH_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for number in CRASH_SIGNALS:
            restore(number)
        os.close(stderr)
        reserve.close()


def share_free_memory():
    """Let all threads allocate from one heap of glibc, for a process whose address space is limited.

    By default each reserves 64 MiB for its own. In a heap that other threads have used, too, there is most likely room
    for what the handler of a crash needs.
    """
    with contextlib.suppress(AttributeError):  # another C library
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)


def silence_terminate():
    """Let an uncaught C++ exception abort without lines of its own, if a C++ library is loaded."""
    with contextlib.suppress(OSError, AttributeError):
        set_terminate = ctypes.CDLL("libstdc++.so.6", mode=os.RTLD_NOLOAD)._ZSt13set_terminatePFvvE
        set_terminate.argtypes, set_terminate.restype = [ctypes.c_void_p], ctypes.c_void_p
        set_terminate(ctypes.cast(ctypes.CDLL(None).abort, ctypes.c_void_p))


def is_bad_alloc():
    """Return whether this thread is about to end because of an uncaught std::bad_alloc."""
    try:
        library = ctypes.CDLL("libstdc++.so.6", mode=os.RTLD_NOLOAD)  # fails where no C++ library is loaded
        get_exception_type = library.__cxa_current_exception_type
    except (OSError, AttributeError):
        return False
    get_exception_type.restype = ctypes.c_void_p
    type_info = get_exception_type()  # a std::type_info: a pointer to its methods, and one to its name
    return bool(type_info) and ctypes.c_char_p.from_address(
        type_info + ctypes.sizeof(ctypes.c_void_p)).value == BAD_ALLOC.encode()
