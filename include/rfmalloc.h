/*
 * rfmalloc.h - the C interface of rfmalloc: typed vectors in a memory-mapped file.
 *
 * What it is.  A store is one file, mapped into memory, that holds vectors, matrices, arrays, lists
 * and data frames with R's element types and R's missing values.  This interface opens stores,
 * makes, finds and destroys objects, and hands out pointers to their elements without a copy. 
 * Everything stands in one table of functions, struct rfm_api, which is reached in one of two ways:
 *
 *   - A Node addon gets it from the npm package rfmalloc, whose function cApi() returns a Node-API
 *     external (see "From a Node addon" below).  Vectors of JavaScript and objects of C are then the
 *     same objects, in the same mapping.
 *   - A plain program links librfmalloc (crates/rfmalloc-capi, shared or static) and calls
 *     rfm_get_api(RFM_API_VERSION).
 *
 * The two are not mixed in one process: each copy of the library has its own table of open files,
 * and the second one finds the file locked (RFM_E_LOCKED).
 *
 * Example.
 *
 *     #include <rfmalloc.h>
 *
 *     int main(void)
 *     {
 *         const rfm_api *fm = rfm_get_api(RFM_API_VERSION);
 *         rfm_error err;
 *         rfm_store *store;
 *         rfm_object *v;
 *         rfm_pin *pin;
 *         rfm_new what = rfm_new_vector(RFM_NUMERIC, 1000, "weight");
 *
 *         if (fm->open("cohort.fm", NULL, &store, &err) != RFM_OK) {
 *             fprintf(stderr, "%s: %s\n", fm->code_name(err.code), err.message);
 *             return 1;
 *         }
 *         if (fm->create(store, &what, &v, &err) == RFM_OK) {
 *             if (fm->pin(v, 0, 1000, &pin, &err) == RFM_OK) {
 *                 double *x = (double *)pin->data;       // 1000 zeros, in the file
 *                 x[0] = 72.5;
 *                 x[1] = rfm_na_real();                   // R's NA
 *                 fm->pin_release(pin);
 *             }
 *             fm->release(v);
 *         }
 *         fm->sync(store, NULL);                          // safe against a power cut from here on
 *         return fm->close(store, &err) == RFM_OK ? 0 : 1;
 *     }
 *
 * Versions.  rfm_api.version is RFM_API_VERSION as long as everything declared here keeps its
 * meaning. Later releases put new functions at the end of the table and raise rfm_api.size;
 * RFM_HAS(fm, member) tells whether a function is there.  Structures that the caller fills or
 * provides begin with their size as the caller knows it (the ..._init functions below set it): a
 * library that knows more members takes those that are not there as zero, one that knows fewer
 * refuses a member that is not zero (RFM_E_UNSUPPORTED).  Structures that the library provides may
 * get members at their end. Numbers of codes, types, kinds and flags are never given to another
 * meaning.
 *
 * Errors.  Functions that can fail return RFM_OK or a code (enum rfm_code).  Their last parameter is
 * an rfm_error, or NULL for a caller whom the code is enough: it is filled on every return, with
 * RFM_OK and empty text on success.  Nothing is kept in a thread or in the library, so the text of
 * one call is never another's.  After an error nothing has changed, unless a function says
 * otherwise, and output parameters have not been written.  Every function checks its pointers for
 * NULL (RFM_E_ARGUMENT) and no function ends the process: a failure inside the library is
 * RFM_E_INTERNAL, and a bug.  What each function says of errors names those a caller may want to
 * tell apart.  These can come from any that gets at a store:
 *
 *   RFM_E_CLOSED      the store was closed.
 *   RFM_E_DESTROYED   the object was destroyed; the hold on it has still to be released.
 *   RFM_E_CORRUPT     bytes in the file contradict themselves; the details say at which offset.
 *   RFM_E_IO          the system refused something, or pages of the file are lost.
 *   RFM_E_INTERNAL    a bug.
 *   RFM_E_UNSUPPORTED the store was opened before a fork: it is the parent's.  Also a member or flag
 *                     that this library does not know.
 *
 * and these from any that changes a store: RFM_E_READ_ONLY, RFM_E_POISONED (an earlier sync failed),
 * RFM_E_NO_SPACE (disk, quota or the store's limit; nothing was made).
 *
 * Ownership.  What a function gives through an output parameter is the caller's, who gives it back
 * once:
 *
 *   rfm_store     close()         one opener of the file
 *   rfm_object    release()       a hold on an object; destroy() ends the object itself
 *   rfm_pin       pin_release()   element bytes; pin_retain() makes it one more to release
 *   rfm_strings   strings_free()  text, copied out of the store
 *
 * They are independent of each other: a pin outlives the object's hold, the object and the store, a
 * hold outlives the store's closing (and then answers RFM_E_CLOSED).  What a caller passes in is
 * read during the call and not kept.  A temporary (RFM_TEMPORARY) ends with the last hold on it.
 *
 * Pins.  A pin keeps element bytes at their address, exactly as a view does in JavaScript: they are
 * not moved and not given to anybody else as long as it is held, also after the object was
 * destroyed.  Stores through the pointer are stores into the file.  Two cases are private memory,
 * where they reach nobody: stores opened read-only, and sealed objects.  Once the last opener of the
 * file in this process has closed, the bytes of every pin read as zero and stores through it are
 * lost; the address stays valid.
 *
 * Threads.  The table and all its functions may be used from any thread, and one rfm_store or
 * rfm_object from several threads at once.  Of each thing, the giving back (close, release, the last
 * pin_release, strings_free) must come after every other call that was given it.  Elements are plain
 * memory: the library orders no access to them, so threads that write what others read use means of
 * their own, as with any memory.  An rfm_error or an output parameter is one call's at a time.
 *
 * Crashes.  An object is there, whole, once the function that made or committed it has returned,
 * whatever becomes of the process.  A power cut or a crash of the machine may take what came after
 * the last sync(); elements written through pins since then may be old or new, page by page.
 *
 * Missing values.  RFM_NA_INTEGER for logical and integer; rfm_na_real() and rfm_is_na() for
 * numeric, either part for complex; text with data NULL.  NaN is a number that is none, and not
 * missing.  Raw has no NA.
 *
 * Signals.  Opening a store puts a handler of SIGBUS in place, so that a file which somebody
 * shortens is an error and not the end of the process; signals that are not the store's go to the
 * handler that stood before. RFM_NO_SIGBUS_HANDLER, or RFMALLOC_SIGBUS=off in the environment,
 * prevents it.
 *
 * Indices count from 0.  Matrices and arrays are column-major.  Text is UTF-8.  len counts elements,
 * nbytes bytes.
 *
 * From a Node addon.  JavaScript hands the external over, the addon checks its type tag and the
 * version:
 *
 *     // JavaScript: addon.start(require('rfmalloc').cApi())
 *     static const napi_type_tag tag = { RFM_NAPI_TAG_LOWER, RFM_NAPI_TAG_UPPER };
 *     bool ours = false;
 *     void *table = NULL;
 *     if (napi_check_object_type_tag(env, value, &tag, &ours) == napi_ok && ours &&
 *         napi_get_value_external(env, value, &table) == napi_ok) {
 *         const rfm_api *fm = (const rfm_api *)table;
 *         if (fm->version == RFM_API_VERSION && fm->size >= sizeof(rfm_api)) { ... }
 *     }
 *
 * The table stays valid to the end of the process.  A vector crosses as its ref: uuid, id and
 * generation go into an rfm_ref for open_ref().  The header's folder is what
 * require('rfmalloc/include') returns.
 */
#ifndef RFMALLOC_H
#define RFMALLOC_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The version of everything declared here; see "Versions" above. */
#define RFM_API_VERSION 1u

/*
 * The type tag of the external that cApi() returns: napi_type_tag has these two words in this
 * order.
 */
#define RFM_NAPI_TAG_LOWER UINT64_C(0x4012e22f19b1410a)
#define RFM_NAPI_TAG_UPPER UINT64_C(0x9085eb0929bc639d)

/*
 * What functions return and rfm_error.code says.  code_name() gives the name that JavaScript sees.
 */
enum rfm_code {
    RFM_OK = 0,
    RFM_E_ARGUMENT = 1,      /* a wrong argument: NULL, path, length, flag, name */
    RFM_E_TYPE = 2,          /* the object has another type than the function needs */
    RFM_E_VALUE = 3,         /* a value that the element type cannot hold exactly */
    RFM_E_OUT_OF_BOUNDS = 4, /* elements or cells beyond the object's length */
    RFM_E_LENGTH = 5,        /* a length that does not fit */
    RFM_E_UNSUPPORTED = 6,   /* not known to this library */
    RFM_E_CLOSED = 7,        /* the store is closed */
    RFM_E_DESTROYED = 8,     /* the object was destroyed */
    RFM_E_BUSY = 9,          /* held by a list or frame, part of another object, or at work */
    RFM_E_READ_ONLY = 10,    /* the store was opened read-only */
    RFM_E_SEALED = 11,       /* the elements are immutable */
    RFM_E_EXISTS = 12,       /* the name is taken */
    RFM_E_NOT_FOUND = 13,    /* no such file, name or open store */
    RFM_E_MODE = 14,         /* the file is open, or was made, in another mode */
    RFM_E_LOCKED = 15,       /* another process holds the file */
    RFM_E_STALE_REF = 16,    /* the reference names an object that is gone */
    RFM_E_OTHER_STORE = 17,  /* the object, or the reference, belongs to another store */
    RFM_E_NOT_A_STORE = 18,  /* a file of another kind */
    RFM_E_CORRUPT = 19,      /* bytes in the file that contradict themselves */
    RFM_E_TRUNCATED = 20,    /* the file is shorter than it says */
    RFM_E_VERSION = 21,      /* the file has another format version */
    RFM_E_NO_SPACE = 22,     /* disk, quota or the store's limit is exhausted */
    RFM_E_TOO_LARGE = 23,    /* more than a buffer, an attribute or the address space can hold */
    RFM_E_IO = 24,           /* the system refused an operation on the file */
    RFM_E_POISONED = 25,     /* a sync failed earlier: the store takes no more changes */
    RFM_E_SUBSCRIPT = 26,    /* this and others without a remark: of operations not in the table */
    RFM_E_NON_NUMERIC = 27,
    RFM_E_NON_CONFORMABLE = 28,
    RFM_E_DIM = 29, /* extents, or names along them, that do not fit */
    RFM_E_COMPLEX = 30,
    RFM_E_CYCLE = 31,    /* a list that would hold itself */
    RFM_E_ENCODING = 32, /* text that is no UTF-8 */
    RFM_E_NO_EXTERNAL = 33,
    RFM_E_INTERNAL = 34 /* a bug of the library */
};

/* Element types. */
enum rfm_type {
    RFM_UNKNOWN = 0,   /* rfm_entry only: the record is damaged */
    RFM_LOGICAL = 1,   /* int32_t, 0 or 1; NA is RFM_NA_INTEGER */
    RFM_INTEGER = 2,   /* int32_t; NA is RFM_NA_INTEGER */
    RFM_NUMERIC = 3,   /* double; NA is rfm_na_real() */
    RFM_COMPLEX = 4,   /* rfm_complex; NA if either part is */
    RFM_RAW = 5,       /* uint8_t */
    RFM_CHARACTER = 6, /* text: read and written by value, never pinned */
    RFM_LIST = 7       /* cells that hold objects: list_get(), list_set() */
};

/* What an object is. */
enum rfm_kind {
    RFM_KIND_VECTOR = 0,
    RFM_KIND_MATRIX = 1, /* two extents */
    RFM_KIND_ARRAY = 2,  /* any number of extents */
    RFM_KIND_LIST = 3,
    RFM_KIND_FRAME = 4 /* a list of columns of equal length */
};

/* Where an object stands. */
enum rfm_state {
    RFM_STATE_COMMITTED = 1, /* it has a record: it stays when its holds are gone */
    RFM_STATE_TEMPORARY = 2, /* it ends with the last hold on it */
    RFM_STATE_DESTROYED = 3,
    RFM_STATE_CLOSED = 4 /* its store is closed */
};

/* Flags of rfm_open_options. */
#define RFM_READ_ONLY 1u      /* shared lock, private mapping: many processes may read at once */
#define RFM_MUST_EXIST 2u     /* a missing file is RFM_E_NOT_FOUND; otherwise it is made */
#define RFM_SCRATCH 4u        /* the file is emptied at open and close */
#define RFM_DURABLE 8u        /* every act is safe against a power cut when its function returns */
#define RFM_KEEP_UNSYNCED 16u /* after a machine crash keep unsynced versions that are whole */
#define RFM_NO_SIGBUS_HANDLER 32u /* see "Signals" above */

/* Flags of rfm_new, rfm_new_frame, create_list(), commit() and rename(). */
/*
 * RFM_REPLACE: what has the name is destroyed in the same act; what a list holds only loses the
 * name.
 */
#define RFM_REPLACE 1u
#define RFM_TEMPORARY 2u /* of what is made: not committed yet, and without a name */

/* Flags of rfm_info and rfm_store_info. */
#define RFM_IS_READ_ONLY 1u   /* stores through pins do not reach the file */
#define RFM_IS_SCRATCH 2u     /* rfm_store_info only */
#define RFM_IS_SEALED 4u      /* elements are immutable */
#define RFM_IS_PART 8u        /* it is a part of another object, which alone can end it */
#define RFM_HAS_NAMES 16u     /* elements (of a frame: columns) have names */
#define RFM_HAS_DIMNAMES 32u  /* some extent has names */
#define RFM_HAS_ROW_NAMES 64u /* of a frame, stored */

/* rfm_text.nbytes of what is passed in: the text ends with a NUL. */
#define RFM_NUL_TERMINATED UINT64_MAX

/* Which names; 0, 1, ...: those along this extent of a matrix or array. */
#define RFM_NAMES (-1)     /* of the elements; of a frame those of its columns */
#define RFM_ROW_NAMES (-2) /* of a frame */

/* NA of logical and integer. */
#define RFM_NA_INTEGER INT32_MIN

/* One opener of a store, a hold on an object: opaque. */
typedef struct rfm_store rfm_store;
typedef struct rfm_object rfm_object;

/* What went wrong.  Filled on every return of a function that is given one. */
typedef struct rfm_error {
    int32_t code;      /* enum rfm_code */
    uint32_t reserved; /* 0 */
    char message[760]; /* what, where and what to do; English, UTF-8, cut to fit, ends with NUL */
    char details[256]; /* the same for programs: one JSON object of as many members as fit */
} rfm_error;

/* A complex number as it stands in memory. */
typedef struct rfm_complex {
    double re, im;
} rfm_complex;

/* A piece of text.  data NULL: missing (NA). */
typedef struct rfm_text {
    const char *data; /* UTF-8; may contain NUL; the library puts one more behind the end */
    uint64_t nbytes;  /* without that NUL */
} rfm_text;

/* Text that was read.  Until strings_free(). */
typedef struct rfm_strings {
    uint64_t len;
    const rfm_text *items; /* len of them */
} rfm_strings;

/* Pinned element bytes.  Until the last pin_release(). */
typedef struct rfm_pin {
    void *data;      /* the first byte; NULL when there is none.  Aligned for its elements */
    uint64_t nbytes; /* bytes pinned */
    uint64_t len;    /* elements pinned */
} rfm_pin;

/* How to open a store; make one with rfm_open_options_init(). */
typedef struct rfm_open_options {
    uint32_t size;            /* sizeof(rfm_open_options) */
    uint32_t flags;           /* RFM_READ_ONLY ... RFM_NO_SIGBUS_HANDLER */
    uint64_t capacity;        /* bytes: fixed size of a new file; 0: it grows */
    uint64_t max_size;        /* bytes the file may grow to; 0: what address space there is */
    int64_t sync_every_ms;    /* from an unsynced act to a background sync; 0: 5 s; < 0: none */
    uint64_t lock_timeout_ms; /* wait so long for the file's lock; UINT64_MAX: for ever */
} rfm_open_options;

/* A new object; make one with rfm_new_vector(), rfm_new_matrix() or rfm_new_init(). */
typedef struct rfm_new {
    uint32_t size;        /* sizeof(rfm_new) */
    uint32_t type;        /* RFM_LOGICAL ... RFM_CHARACTER */
    uint32_t kind;        /* RFM_KIND_VECTOR, RFM_KIND_MATRIX or RFM_KIND_ARRAY */
    uint32_t flags;       /* RFM_REPLACE, RFM_TEMPORARY */
    uint64_t len;         /* elements; of a matrix or array 0 or the product of its extents */
    const uint64_t *dim;  /* rank extents; of a vector NULL */
    uint64_t rank;        /* of a vector 0, of a matrix 2 */
    const void *data;     /* len elements, copied; NULL: zeros.  Of text NULL */
    const rfm_text *text; /* RFM_CHARACTER: len texts, copied; NULL: empty strings */
    const char *name;     /* ends with NUL; NULL: none */
} rfm_new;

/* A new data frame; make one with rfm_new_frame_init(). */
typedef struct rfm_new_frame {
    uint32_t size;              /* sizeof(rfm_new_frame) */
    uint32_t flags;             /* RFM_REPLACE, RFM_TEMPORARY */
    uint64_t len;               /* columns */
    rfm_object *const *columns; /* len vectors of the store, of equal length */
    const rfm_text *names;      /* len names of columns, all different */
    uint64_t rows;              /* of row_names */
    const rfm_text *row_names;  /* as many as the columns are long, all different; NULL: numbered */
    const char *name;           /* ends with NUL; NULL: none */
} rfm_new_frame;

/* A name that another thread, another process or tomorrow can open. */
typedef struct rfm_ref {
    char uuid[40];       /* of the store: 32 hexadecimal digits and NUL */
    uint64_t id;         /* of the object */
    uint64_t generation; /* of the object: a later one in its place has another */
} rfm_ref;

/* What info() tells. */
typedef struct rfm_info {
    uint32_t size;  /* sizeof(rfm_info), set by the caller */
    uint32_t flags; /* RFM_IS_..., RFM_HAS_... */
    uint32_t type;  /* enum rfm_type */
    uint32_t kind;  /* enum rfm_kind */
    uint32_t state; /* enum rfm_state; if destroyed or closed, the rest is what was known last */
    uint32_t rank;  /* extents; 0 for what has no shape */
    uint64_t len;   /* elements; of a list cells, of a frame columns */
    uint64_t nbytes;
    uint64_t rows; /* of a frame */
    rfm_ref ref;
} rfm_info;

/* What store_info() tells. */
typedef struct rfm_store_info {
    uint32_t size;     /* sizeof(rfm_store_info), set by the caller */
    uint32_t flags;    /* RFM_IS_READ_ONLY, RFM_IS_SCRATCH */
    char uuid[40];     /* 32 hexadecimal digits and NUL */
    uint64_t nbytes;   /* length of the file */
    uint64_t max_size; /* bytes it may grow to */
    uint64_t named;    /* objects with a name */
} rfm_store_info;

/* One object of the catalog, as walk() shows it.  Valid during the call of the visitor. */
typedef struct rfm_entry {
    uint32_t size; /* of the structure as the library knows it */
    uint32_t type; /* enum rfm_type; RFM_UNKNOWN: damaged, and only id is known */
    uint32_t kind; /* enum rfm_kind */
    uint32_t reserved;
    uint64_t id;
    uint64_t generation;
    uint64_t len;
    rfm_text name; /* data NULL: none */
} rfm_entry;

/*
 * Called by walk() for each object; any answer but 0 ends the walk.  May use the store, close
 * excepted.  Must return: no longjmp and no C++ exception may leave it.
 */
typedef int (*rfm_visit)(void *context, const rfm_entry *entry);

/* The table.  Version and size stay first. */
typedef struct rfm_api {
    uint32_t version; /* RFM_API_VERSION */
    uint32_t size;    /* bytes of the table as the library knows it */

    /* The library's release, "0.1.0".  Static text. */
    const char *(*release_name)(void);

    /* "ERR_FMALLOC_NO_SPACE" for RFM_E_NO_SPACE, "OK" for RFM_OK, "?" for no code.  Static text. */
    const char *(*code_name)(int32_t code);

    /* ---- stores ---- */

    /*
     * Opens the file at path and makes it if it is not there.  Any number of openers of one process
     * share one mapping; they must agree on RFM_READ_ONLY and RFM_SCRATCH.  options NULL: the
     * defaults.  RFM_E_NOT_FOUND; RFM_E_LOCKED: another process holds the file, or another copy of
     * this library; RFM_E_MODE: it is open or was made otherwise; RFM_E_NOT_A_STORE,
     * RFM_E_TRUNCATED, RFM_E_VERSION, RFM_E_CORRUPT: the file is left as it is.
     */
    int (*open)(const char *path, const rfm_open_options *options, rfm_store **store,
                rfm_error *err);

    /*
     * One more opener of the store with this uuid, which somebody in this process has open,
     * whatever its path.  RFM_E_NOT_FOUND: nobody has.
     */
    int (*open_uuid)(const char *uuid, rfm_store **store, rfm_error *err);

    /*
     * Closes this opener and frees it, whatever is returned.  The last one of the process waits for
     * functions at work, syncs, and lets the file go: holds answer RFM_E_CLOSED and pins read zeros
     * from then on.  A store that is not closed is as after a crash of the process: whole, but not
     * synced.  RFM_E_IO, RFM_E_POISONED: the final sync failed; the file was let go all the same.
     */
    int (*close)(rfm_store *store, rfm_error *err);

    /*
     * Brings everything to stable storage, elements written through pins included; blocks.  A
     * failure poisons the store: it can be read, but takes no more changes.  RFM_E_IO,
     * RFM_E_POISONED.
     */
    int (*sync)(rfm_store *store, rfm_error *err);

    /* The store's facts.  info->size must be set. */
    int (*store_info)(rfm_store *store, rfm_store_info *info, rfm_error *err);

    /* The file's path, one text. */
    int (*store_path)(rfm_store *store, rfm_strings **path, rfm_error *err);

    /*
     * Shows every committed object that is no part of another one, in no particular order.  Memory
     * for a few thousand at a time; what is made or destroyed meanwhile is met or not.  RFM_OK also
     * when the visitor ended it.
     */
    int (*walk)(rfm_store *store, rfm_visit visit, void *context, rfm_error *err);

    /* ---- objects: made, found, named, ended ---- */

    /*
     * Makes an object: committed when the function returns, unless RFM_TEMPORARY.  To write the
     * elements first, make a temporary, fill it through a pin, commit() it: then nobody ever finds
     * it half filled.  RFM_E_EXISTS: the name is taken, and no RFM_REPLACE; RFM_E_DIM,
     * RFM_E_LENGTH, RFM_E_ENCODING; RFM_E_TOO_LARGE: a text of 2 GiB.  Nothing was made then.
     */
    int (*create)(rfm_store *store, const rfm_new *what, rfm_object **object, rfm_error *err);

    /*
     * Makes a list of len cells that hold these objects of the store; NULL among them is an empty
     * cell, and items NULL makes all of them so.  Temporaries among them are committed with it.
     * name and flags as in rfm_new.  RFM_E_OTHER_STORE; RFM_E_BUSY: a part of another object;
     * RFM_E_EXISTS.
     */
    int (*create_list)(rfm_store *store, rfm_object *const *items, uint64_t len, const char *name,
                       uint32_t flags, rfm_object **list, rfm_error *err);

    /*
     * Makes a data frame that holds these columns, which keep their elements where they are.  Its
     * columns are read by list_get(), their names by names(RFM_NAMES).  RFM_E_LENGTH: columns or
     * row names that are not of equal length; RFM_E_ARGUMENT: names missing or repeated; RFM_E_DIM,
     * RFM_E_TYPE: a column that is no plain vector; RFM_E_OTHER_STORE, RFM_E_BUSY, RFM_E_EXISTS,
     * RFM_E_ENCODING.
     */
    int (*create_frame)(rfm_store *store, const rfm_new_frame *what, rfm_object **frame,
                        rfm_error *err);

    /* A hold on the object with this name.  RFM_E_NOT_FOUND. */
    int (*find)(rfm_store *store, const char *name, rfm_object **object, rfm_error *err);

    /*
     * A hold on the object with this id and generation, temporaries of this process included.
     * RFM_E_STALE_REF: there is none.
     */
    int (*find_ref)(rfm_store *store, uint64_t id, uint64_t generation, rfm_object **object,
                    rfm_error *err);

    /*
     * Opens the store of a reference and in it the object; both are the caller's.  With path NULL
     * it has to be open in this process already, else the file at path is opened (never made) with
     * these options.  RFM_E_NOT_FOUND; RFM_E_OTHER_STORE: the file is not the one the reference
     * names; RFM_E_STALE_REF.
     */
    int (*open_ref)(const rfm_ref *ref, const char *path, const rfm_open_options *options,
                    rfm_store **store, rfm_object **object, rfm_error *err);

    /*
     * Makes a temporary a committed object, and names it unless name is NULL; names or renames a
     * committed one.  RFM_E_EXISTS: the name is taken, and no RFM_REPLACE in flags; RFM_E_BUSY.
     */
    int (*commit)(rfm_object *object, const char *name, uint32_t flags, rfm_error *err);

    /* The same, but name NULL takes the name away from a committed object. */
    int (*rename)(rfm_object *object, const char *name, uint32_t flags, rfm_error *err);

    /*
     * Ends the object for everybody.  Pins keep their bytes; every hold has still to be released.
     * Columns that only a destroyed frame held, and that have no name, end with it.  RFM_E_BUSY: a
     * list or frame holds it, or it is a part of another object; RFM_E_DESTROYED: it was already.
     */
    int (*destroy)(rfm_object *object, rfm_error *err);

    /* Lets go of the object.  NULL is allowed. */
    void (*release)(rfm_object *object);

    /* ---- what an object is ---- */

    /*
     * The object's facts.  info->size must be set.  Not an error for a destroyed object or a closed
     * store: info->state says so.
     */
    int (*info)(rfm_object *object, rfm_info *info, rfm_error *err);

    /*
     * The extents: the first capacity of them go to extents (NULL with capacity 0), their number to
     * rank.
     */
    int (*dim)(rfm_object *object, uint64_t *extents, uint64_t capacity, uint64_t *rank,
               rfm_error *err);

    /* The object's name in the store, one text; NA if it has none. */
    int (*name)(rfm_object *object, rfm_strings **name, rfm_error *err);

    /*
     * Names of elements, rows or along an extent (RFM_NAMES, RFM_ROW_NAMES, 0, 1, ...); *names is
     * NULL where there are none.  RFM_E_ARGUMENT: no such extent.
     */
    int (*names)(rfm_object *object, int32_t which, rfm_strings **names, rfm_error *err);

    /*
     * Gives such names, as many as there are elements, rows, or the extent says; len 0 with names
     * NULL takes them away.  RFM_E_LENGTH, RFM_E_DIM, RFM_E_ENCODING, RFM_E_ARGUMENT.
     */
    int (*set_names)(rfm_object *object, int32_t which, const rfm_text *names, uint64_t len,
                     rfm_error *err);

    /* ---- elements ---- */

    /*
     * Pins elements [start, start + len) and tells where they are; see "Pins" above.
     * RFM_E_OUT_OF_BOUNDS; RFM_E_TYPE: text and lists are read and written by value; RFM_E_BUSY: it
     * is being sealed.
     */
    int (*pin)(rfm_object *object, uint64_t start, uint64_t len, rfm_pin **pin, rfm_error *err);

    /* One more pin_release() is needed.  Gives the same pin; NULL for NULL. */
    rfm_pin *(*pin_retain)(rfm_pin *pin);

    /* Gives a pin back; with the last time the address is no longer valid.  NULL is allowed. */
    void (*pin_release)(rfm_pin *pin);

    /*
     * Whether elements [start, start + len), read through a pin, were the file's: where pages of
     * the file could not be had, zeros were read.  write not 0: also whether what is stored there
     * can still reach the file.  RFM_E_IO, RFM_E_POISONED, RFM_E_READ_ONLY, RFM_E_OUT_OF_BOUNDS.
     */
    int (*check)(rfm_object *object, uint64_t start, uint64_t len, int write, rfm_error *err);

    /*
     * Reads texts [start, start + len) of a character vector, copied out.  RFM_E_TYPE,
     * RFM_E_OUT_OF_BOUNDS.
     */
    int (*strings_read)(rfm_object *object, uint64_t start, uint64_t len, rfm_strings **strings,
                        rfm_error *err);

    /*
     * Writes len texts from element start on.  RFM_E_TYPE, RFM_E_OUT_OF_BOUNDS, RFM_E_SEALED,
     * RFM_E_ENCODING: nothing is written; RFM_E_NO_SPACE: those before the one that had no room
     * are.
     */
    int (*strings_write)(rfm_object *object, uint64_t start, const rfm_text *text, uint64_t len,
                         rfm_error *err);

    /* Frees what was read.  NULL is allowed. */
    void (*strings_free)(rfm_strings *strings);

    /*
     * A hold on the object in cell i of a list, or on column i of a frame; *item is NULL for an
     * empty cell.  RFM_E_TYPE: no list; RFM_E_OUT_OF_BOUNDS; RFM_E_STALE_REF: a crash of the
     * machine took what was there.
     */
    int (*list_get)(rfm_object *list, uint64_t i, rfm_object **item, rfm_error *err);

    /*
     * Puts an object of the same store into cell i of a list; NULL empties it.  A temporary is
     * committed.  RFM_E_TYPE, RFM_E_OUT_OF_BOUNDS, RFM_E_OTHER_STORE, RFM_E_BUSY; RFM_E_CYCLE: the
     * list would hold itself; RFM_E_ARGUMENT: columns of a frame are not exchanged.
     */
    int (*list_set)(rfm_object *list, uint64_t i, rfm_object *item, rfm_error *err);
} rfm_api;

/*
 * The table of librfmalloc; NULL: it does not have this version.  Static, for any thread.  An addon
 * that got its table from cApi() does not call this, and links nothing.
 */
const rfm_api *rfm_get_api(uint32_t version);

/*
 * Whether the table fm has this member: 1 for all that the header of the library's own release
 * declares.
 */
#define RFM_HAS(fm, member) ((fm)->size >= offsetof(rfm_api, member) + sizeof((fm)->member))

/* The defaults: writable, persistent, made if missing, grows, synced 5 s after an act. */
static inline rfm_open_options rfm_open_options_init(void)
{
    rfm_open_options o;
    memset(&o, 0, sizeof o);
    o.size = (uint32_t)sizeof o;
    return o;
}

/* Nothing yet: type and the rest are to be set. */
static inline rfm_new rfm_new_init(void)
{
    rfm_new n;
    memset(&n, 0, sizeof n);
    n.size = (uint32_t)sizeof n;
    return n;
}

/* A vector of len elements: zeros, or for text empty strings, unless data or text is set. */
static inline rfm_new rfm_new_vector(uint32_t type, uint64_t len, const char *name)
{
    rfm_new n = rfm_new_init();
    n.type = type;
    n.len = len;
    n.name = name;
    return n;
}

/* A matrix; dim (rows, columns) is kept by its address until create() is called. */
static inline rfm_new rfm_new_matrix(uint32_t type, const uint64_t dim[2], const char *name)
{
    rfm_new n = rfm_new_init();
    n.type = type;
    n.kind = RFM_KIND_MATRIX;
    n.dim = dim;
    n.rank = 2;
    n.name = name;
    return n;
}

/* No columns yet. */
static inline rfm_new_frame rfm_new_frame_init(void)
{
    rfm_new_frame n;
    memset(&n, 0, sizeof n);
    n.size = (uint32_t)sizeof n;
    return n;
}

/* For info(). */
static inline rfm_info rfm_info_init(void)
{
    rfm_info i;
    memset(&i, 0, sizeof i);
    i.size = (uint32_t)sizeof i;
    return i;
}

/* For store_info(). */
static inline rfm_store_info rfm_store_info_init(void)
{
    rfm_store_info i;
    memset(&i, 0, sizeof i);
    i.size = (uint32_t)sizeof i;
    return i;
}

/* A text that ends with NUL; NULL is NA. */
static inline rfm_text rfm_text_of(const char *s)
{
    rfm_text t;
    t.data = s;
    t.nbytes = s ? strlen(s) : 0;
    return t;
}

/* NA of numeric. */
static inline double rfm_na_real(void)
{
    const uint64_t bits = UINT64_C(0x7FF00000000007A2);
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/*
 * Whether a number is NA, and not merely NaN.  Only the low word decides: hardware may set a bit of
 * the high one.
 */
static inline int rfm_is_na(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return x != x && (bits & UINT64_C(0xFFFFFFFF)) == 1954;
}

#ifdef __cplusplus
}
#endif

#endif
