# cython: language_level=3
"""Groups of files written, synced, moved and removed without the GIL.

A group is written whole, its write-back is started, and only then it is synced: the disk works on all while the first
sync waits, and later syncs find their data and the journal's transaction on the disk already. Where the system has
asynchronous input and output (Linux: io_submit) all files of a group are synced at once, each by a sync of its own, and
no thread of this process waits for more than the last one.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AsString
from libc.errno cimport EEXIST, EINTR, EINVAL, ENOENT, EIO, errno
from libc.stdint cimport uintptr_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, strlen

cdef extern from *:
    """
    #define MOST_SYNCS 64
    #ifndef _GNU_SOURCE
    #define _GNU_SOURCE
    #endif
    #include <fcntl.h>
    #include <stdio.h>
    #include <sys/stat.h>
    #include <unistd.h>
    #ifdef __linux__
    static int start_writeback(int fd) { return sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE); }
    static int sync_data(int fd) { return fdatasync(fd); }
    #include <sys/vfs.h>
    static int sync_whole(int fd) { return syncfs(fd); }
    static long kind_of(int fd) { struct statfs found; return fstatfs(fd, &found) == 0 ? (long)found.f_type : -1; }
    #define PAST_CACHE O_DIRECT
    #include <errno.h>
    #include <stdint.h>
    #include <string.h>
    #include <sys/syscall.h>
    #include <linux/aio_abi.h>
    typedef aio_context_t sync_context;
    static int open_context(sync_context* context, int room)
    {
        *context = 0;
        return syscall(SYS_io_setup, room, context) == 0 ? 0 : -1;
    }
    static void close_context(sync_context context) { syscall(SYS_io_destroy, context); }
    /* How many of the syncs have been begun. */
    static int begin_syncs(sync_context context, const int* fds, int count)
    {
        struct iocb blocks[MOST_SYNCS];
        struct iocb* list[MOST_SYNCS];
        long begun;
        memset(blocks, 0, sizeof(blocks));
        for (int i = 0; i < count; i++) {
            blocks[i].aio_data = i;
            blocks[i].aio_lio_opcode = IOCB_CMD_FDSYNC;
            blocks[i].aio_fildes = fds[i];
            list[i] = &blocks[i];
        }
        begun = syscall(SYS_io_submit, context, (long)count, list);
        return begun < 0 ? 0 : (int)begun;
    }
    /* Waits for all that have been begun; the errno of each, 0 for success. False if the system does not tell. */
    static int end_syncs(sync_context context, int* errors, int count)
    {
        struct io_event events[MOST_SYNCS];
        int left = count;
        while (left > 0) {
            long done = syscall(SYS_io_getevents, context, (long)left, (long)left, events, NULL);
            if (done < 0 && errno != EINTR) return 0;
            for (long i = 0; i < done; i++) errors[events[i].data] = events[i].res < 0 ? (int)-events[i].res : 0;
            if (done > 0) left -= (int)done;
        }
        return 1;
    }
    #else
    #define PAST_CACHE 0
    typedef int sync_context;
    static int open_context(sync_context* context, int room) { (void)context; (void)room; return -1; }
    static void close_context(sync_context context) { (void)context; }
    static int begin_syncs(sync_context context, const int* fds, int count) { (void)context; (void)fds; (void)count; return 0; }
    static int end_syncs(sync_context context, int* errors, int count) { (void)context; (void)errors; (void)count; return 1; }
    static int sync_whole(int fd) { (void)fd; sync(); return 0; }
    static long kind_of(int fd) { (void)fd; return 0; }
    static int start_writeback(int fd) { (void)fd; return 0; }
    static int sync_data(int fd) { return fsync(fd); }
    #endif
    """
    int start_writeback(int fd) nogil
    int sync_data(int fd) nogil
    int sync_whole(int fd) nogil
    long kind_of(int fd) nogil
    ctypedef unsigned long sync_context
    int PAST_CACHE
    int MOST_SYNCS
    int open_context(sync_context* context, int room) nogil
    void close_context(sync_context context) nogil
    int begin_syncs(sync_context context, const int* fds, int count) nogil
    int end_syncs(sync_context context, int* errors, int count) nogil

cdef extern from "fcntl.h" nogil:
    int F_GETFL
    int F_SETFL
    int fcntl(int fd, int command, ...)
    int O_WRONLY
    int O_RDWR
    int O_CREAT
    int O_EXCL
    int O_CLOEXEC
    int open(const char* path, int flags, int mode)

cdef extern from "unistd.h" nogil:
    int SEEK_SET
    long long lseek(int fd, long long offset, int whence)
    int rmdir(const char* path)
    ssize_t write(int fd, const void* data, size_t size)
    int close(int fd)
    int unlink(const char* path)

cdef extern from "stdio.h" nogil:
    int rename(const char* source, const char* target)

cdef extern from "sys/stat.h" nogil:
    int mkdir(const char* path, int mode)

cdef enum:
    # What of it others get is for the umask of the process to say.
    MODE = 0o640
    FOLDER_MODE = 0o750
    LONGEST = 4096
    ATTEMPTS = 10
    BLOCK = 4096         # what goes past the page cache lies, in memory and in the file, at multiples of this


cdef struct File:
    const char* path
    const unsigned char* data
    Py_ssize_t size
    bint exists          # is on the disk already and only wants syncing
    bint sync
    bint is_cold         # past the page cache, where that can be
    int fd
    int error


cdef int write_all(int fd, const unsigned char* data, Py_ssize_t size) noexcept nogil:
    cdef ssize_t done
    while size > 0:
        done = write(fd, data, size)
        if done < 0:
            if errno == EINTR:
                continue
            return errno
        data += done
        size -= done
    return 0


cdef int write_past_cache(int fd, const unsigned char* data, Py_ssize_t size) noexcept nogil:
    # A file that was opened so: whole blocks past the page cache, what is left through it.
    cdef Py_ssize_t whole = size - size % BLOCK
    cdef int error = write_all(fd, data, whole)
    cdef int flags = fcntl(fd, F_GETFL)
    if flags < 0 or fcntl(fd, F_SETFL, flags & ~PAST_CACHE) != 0:
        return errno
    if error == EINVAL:      # the file system wants larger blocks, or has no such way
        return write_all(fd, data, size) if lseek(fd, 0, SEEK_SET) == 0 else errno
    return error if error else write_all(fd, data + whole, size - whole)


cdef int make_parent(const char* path, int levels) noexcept nogil:
    # The folder that holds `path`, and the one above it.
    cdef char folder[LONGEST]
    cdef Py_ssize_t end = strlen(path)
    if end >= LONGEST:
        return ENOENT
    memcpy(folder, path, end + 1)
    while end > 0 and folder[end] != 47:
        end -= 1
    folder[end] = 0
    if mkdir(folder, FOLDER_MODE) == 0 or errno == EEXIST:
        return 0
    if errno != ENOENT or levels == 0:
        return errno
    if make_parent(folder, levels - 1) != 0:
        return errno
    if mkdir(folder, FOLDER_MODE) == 0 or errno == EEXIST:
        return 0
    return errno


cdef int create(const char* path, int more) noexcept nogil:
    # A new file for writing, or -1 and errno; makes its folder, and the one above, if somebody has removed them.
    cdef int flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | more
    cdef int fd = open(path, flags, MODE)
    if fd >= 0 or errno != ENOENT or make_parent(path, 1) != 0:
        return fd
    return open(path, flags, MODE)


cdef void begin(File* file) noexcept nogil:
    if file.exists:
        file.fd = open(file.path, O_RDWR | O_CLOEXEC, 0)
    elif file.is_cold and PAST_CACHE and <uintptr_t>file.data % BLOCK == 0:
        file.fd = create(file.path, PAST_CACHE)
        if file.fd < 0 and errno == EINVAL:      # some file systems have made it all the same
            unlink(file.path)
            file.is_cold = False
            file.fd = create(file.path, 0)
    else:
        file.is_cold = False
        file.fd = create(file.path, 0)
    if file.fd < 0:
        file.error = errno
        return
    if file.exists:
        pass
    elif file.is_cold:
        file.error = write_past_cache(file.fd, file.data, file.size)
    else:
        file.error = write_all(file.fd, file.data, file.size)
    if file.sync and file.error == 0:
        start_writeback(file.fd)


cdef void settle(File* file) noexcept nogil:
    if file.fd < 0:
        return
    if file.sync and file.error == 0 and sync_data(file.fd) != 0:
        file.error = errno
    if close(file.fd) != 0 and file.error == 0:
        file.error = errno


cdef Py_ssize_t sync_together(File* files, Py_ssize_t count, sync_context context, bint* is_lost) noexcept nogil:
    # Syncs some files from the first one on at once, so that `settle` need not; how many it has looked at. `is_lost`: the
    # system does not tell what became of them, and might do so when others are waited for.
    cdef int fds[64]
    cdef int errors[64]
    cdef File* synced[64]
    cdef int wanted = 0, begun, i
    cdef Py_ssize_t seen = 0
    while seen < count and wanted < MOST_SYNCS:
        if files[seen].fd >= 0 and files[seen].sync and files[seen].error == 0:
            fds[wanted] = files[seen].fd
            errors[wanted] = EIO
            synced[wanted] = &files[seen]
            wanted += 1
        seen += 1
    if wanted > 1:
        begun = begin_syncs(context, fds, wanted)
        is_lost[0] = not end_syncs(context, errors, begun)
        for i in range(begun):
            synced[i].sync = False
            synced[i].error = errors[i]
    return seen


cdef class Syncs:
    """Syncs several files at once. Where the system has no such thing they are synced one after the other; as are the
    files of who comes while it is in use."""

    cdef sync_context context
    cdef readonly bint works     # whether the system has it
    cdef bint is_free

    def __cinit__(self):
        self.works = self.is_free = open_context(&self.context, MOST_SYNCS) == 0

    def __dealloc__(self):
        if self.works:
            close_context(self.context)


def write_files(list paths not None, list contents not None, list syncs not None, list colds=None, Syncs together=None):
    """Writes each of `contents` into a new file and returns when those with a true value in `syncs` are on the disk.

    A content of None stands for a file that lies at the path already. What has a true value in `colds` is not going to be
    read soon: it goes past the page cache, where the system can do that and the content begins at a page of memory.
    Returns an errno for each file, 0 for success; a file with an error may be left in any state.
    """
    cdef Py_ssize_t count = len(paths), i, held = 0, done = 0
    cdef File* files
    cdef Py_buffer* views
    cdef bint is_together = False, is_lost = False
    cdef sync_context context = 0
    if len(contents) != count or len(syncs) != count or (colds is not None and len(colds) != count):
        raise ValueError("as many contents and syncs as paths are needed")
    files = <File*>calloc(count + 1, sizeof(File))
    views = <Py_buffer*>calloc(count + 1, sizeof(Py_buffer))
    if files == NULL or views == NULL:
        free(files)
        free(views)
        raise MemoryError()
    try:
        for i in range(count):
            files[i].path = PyBytes_AsString(paths[i])
            files[i].fd = -1
            files[i].sync = syncs[i]
            files[i].is_cold = colds is not None and colds[i]
            if contents[i] is None:
                files[i].exists = True
            else:
                PyObject_GetBuffer(contents[i], &views[i], PyBUF_SIMPLE)
                files[i].data = <const unsigned char*>views[i].buf
                files[i].size = views[i].len
            held = i + 1
        if together is not None and together.is_free:
            is_together = True
            context = together.context
            together.is_free = False
        with nogil:
            for i in range(count):
                begin(&files[i])
            while is_together and not is_lost and done < count:
                done += sync_together(&files[done], count - done, context, &is_lost)
            for i in range(count):
                settle(&files[i])
        if is_together:
            together.is_free = not is_lost
        return [files[i].error for i in range(count)]
    finally:
        for i in range(held):
            if not files[i].exists:
                PyBuffer_Release(&views[i])
        free(views)
        free(files)


cdef int move(const char* source, const char* target) noexcept nogil:
    # Another process may remove a folder that it finds empty, between its making here and the move.
    cdef int attempt, error
    for attempt in range(ATTEMPTS):
        if rename(source, target) == 0:
            return 0
        if errno != ENOENT:
            return errno
        error = make_parent(target, 1)
        if error != 0 and error != ENOENT:
            return error
    return ENOENT


cdef void remove_parents(const char* path, int levels) noexcept nogil:
    # The folders above a removed file, as far as they are empty.
    cdef char folder[LONGEST]
    cdef Py_ssize_t end = strlen(path)
    if end >= LONGEST:
        return
    memcpy(folder, path, end + 1)
    while levels > 0:
        while end > 0 and folder[end] != 47:
            end -= 1
        folder[end] = 0
        if end == 0 or rmdir(folder) != 0:
            return
        levels -= 1


def move_files(list sources not None, list targets not None):
    """Renames each file; makes up to two missing folders above a target. Returns an errno for each."""
    cdef Py_ssize_t count = len(sources), i
    cdef const char** names
    cdef int* errors
    if len(targets) != count:
        raise ValueError("as many targets as sources are needed")
    names = <const char**>calloc(2 * count + 1, sizeof(char*))
    errors = <int*>calloc(count + 1, sizeof(int))
    if names == NULL or errors == NULL:
        free(names)
        free(errors)
        raise MemoryError()
    try:
        for i in range(count):
            names[2 * i] = PyBytes_AsString(sources[i])
            names[2 * i + 1] = PyBytes_AsString(targets[i])
        with nogil:
            for i in range(count):
                errors[i] = move(names[2 * i], names[2 * i + 1])
        return [errors[i] for i in range(count)]
    finally:
        free(names)
        free(errors)


def remove_files(list paths not None, int levels):
    """Unlinks each file, and up to `levels` folders above it that this leaves empty. Returns an errno for each file; a missing
    one counts as removed."""
    cdef Py_ssize_t count = len(paths), i
    cdef const char** names = <const char**>calloc(count + 1, sizeof(char*))
    cdef int* errors = <int*>calloc(count + 1, sizeof(int))
    if names == NULL or errors == NULL:
        free(names)
        free(errors)
        raise MemoryError()
    try:
        for i in range(count):
            names[i] = PyBytes_AsString(paths[i])
        with nogil:
            for i in range(count):
                if unlink(names[i]) == 0:
                    remove_parents(names[i], levels)
                elif errno != ENOENT:
                    errors[i] = errno
        return [errors[i] for i in range(count)]
    finally:
        free(names)
        free(errors)


def sync_file_system(int fd):
    """Returns when all that was written to the file system of a descriptor is on the disk. Raises OSError, also for what
    could not be written since the descriptor was opened, or since the last error."""
    cdef int error = 0
    with nogil:
        if sync_whole(fd) != 0:
            error = errno
    if error:
        raise OSError(error, "the file system could not be synced")


def kind_of_file_system(int fd):
    """The number that Linux gives the kind of a descriptor's file system (statfs); 0 elsewhere."""
    return kind_of(fd)
