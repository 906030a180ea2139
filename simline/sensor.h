/* One simulated camera: its registers, its exposures, its stream of buffers. Knows nothing of GenTL's calls.
 *
 * sensor.c its life and clock | registers.c what can be set | usersets.c what it keeps | lines.c its trigger inputs
 * trigger.c triggers | exposure.c one exposure | stream.c buffers and chunks
 */
#ifndef OKNG_SENSOR_H
#define OKNG_SENSOR_H

#include "gentl.h"
#include "scene.h"

#include <pthread.h>
#include <stdbool.h>

#define BUFFERS_MAX 256
#define SERIAL_MAX 48
#define SECOND_NS 1000000000ull
#define LINES 2
#define CHUNKS 4
#define USER_SETS 3
#define EDGES_MAX 64
#define SHOTS 8 /* frames the camera has memory for */

/* Every GenTL handle points to one of these, so that a call can see what it was given. */
enum module_kind { SYSTEM = 1, INTERFACE, DEVICE, REMOTE, STREAM, EVENT };
struct camera;
struct module {
    enum module_kind kind;
    struct camera *camera; /* NULL for SYSTEM and INTERFACE */
};

enum buffer_state { UNQUEUED, QUEUED, DELIVERED };
struct buffer {
    uint8_t *bytes;
    size_t size, filled;
    void *user;
    bool own; /* allocated here */
    enum buffer_state state;
    bool incomplete, fresh;
    uint64_t frame, device_ns;
    bool stamped;
    uint32_t width, height, offset_x, offset_y, pixel_format;
    struct gc_chunk chunks[CHUNKS];
    size_t chunk_count;
};

/* Buffers in order. Bounded: it holds each announced buffer at most once. */
struct line_up {
    struct buffer *at[BUFFERS_MAX];
    unsigned count;
};

struct stream {
    struct module module, event;
    bool open, event_on, grabbing;
    unsigned kills; /* waits that are to end: those under way and those to come */
    struct buffer *announced[BUFFERS_MAX];
    unsigned announced_count;
    struct line_up input, output;
    uint64_t delivered, underrun, started;
    pthread_t readout;
};

struct trigger_setting {
    uint32_t mode, source, activation, overlap;
    double delay_us;
};
struct line_setting {
    double debounce_us;
};
struct chunk_setting {
    uint32_t enabled;
};

/* What the consumer can set, and a user set keeps. Written and read under the camera's lock. */
struct settings {
    uint32_t width, height, offset_x, offset_y, pixel_format;
    uint32_t acquisition_mode, frame_rate_enable, burst_frames;
    uint32_t trigger_selector, line_selector, counter_selector, chunk_selector, chunk_counter_selector;
    struct trigger_setting trigger[2]; /* by TriggerSelector */
    struct line_setting line[LINES];
    uint32_t counter_source, counter_activation;
    uint32_t chunk_mode;
    struct chunk_setting chunk[CHUNKS];
    uint32_t exposure_auto, gain_auto, line_scan;
    double exposure_us, frame_rate_hz, gain_db, black_level;
    double strobe_delay_us, strobe_us, readout_us;
};

/* What no user set keeps. */
struct registers {
    struct settings now;
    uint32_t locked, timestamps, user_set, user_set_default;
    double drift_ppm;
    int64_t clock_offset_ns;
    uint64_t latched_ns, counter;
};

/* One exposure, from its start until it is read out. Its pixels are in `image` from the start. */
struct shot {
    uint8_t *image;
    size_t room, bytes;
    uint64_t frame, at_ns, ends_ns, out_ns, sent_ns, counter;
    uint32_t width, height, offset_x, offset_y, pixel_format;
    double exposure_us;
    bool dropped, incomplete, crash;
    uint32_t late_us, held_us, followers;
};

struct edge {
    uint64_t at_ns;
    uint32_t line;
    bool rising;
};

struct camera {
    struct module device, remote;
    struct stream stream;
    struct camera *next;
    char serial[SERIAL_MAX], id[SERIAL_MAX + 8];
    char scene_path[4096], folder[4096];
    bool test_pattern; /* no world: the built-in picture */
    bool present;      /* its scene file was there at the last look */

    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool open, lost, acquiring;
    struct scene scene;
    struct registers set;
    struct settings kept[USER_SETS]; /* by UserSetSelector; the first one is the factory's */
    bool is_kept[USER_SETS];
    uint64_t opened_ns, frame, missed;
    int64_t jumped_ns; /* what the world has put the clock ahead */

    struct shot shots[SHOTS];
    struct shot *exposing, *reading, *last; /* NULL: none */
    struct shot *sending[SHOTS];            /* read out, in order, each waiting for its moment */
    unsigned sending_count;
    bool waiting;                           /* a trigger was taken whose exposure has not begun */
    uint64_t start_ns;                      /* when it is to begin */
    double start_delay_us;                  /* what TriggerDelay was then */
    uint32_t burst_left, burst_at;          /* frames the burst still has, lines of it seen so far in frames */
    uint32_t unwanted;                      /* frames nobody asked for */
    uint64_t due_ns;                        /* free run: when the next frame is due, or the one before was */
    bool is_due;                            /* the next one */
    unsigned auto_tries;

    int line0, line0_stop; /* socket, eventfd; -1: none */
    pthread_t line0_thread;
    struct edge edges[EDGES_MAX]; /* to come, in order; a pulse more than these hold is noise, and is lost */
    unsigned edge_count;
};

uint64_t monotonic_ns(void);
/* A span of us in whole ns. */
uint64_t span_ns(double us);

struct camera *camera_new(const char *serial);
void camera_free(struct camera *camera);

/* GC_SUCCESS, GC_RESOURCE_IN_USE (another process has it) or GC_IO (no scene). Registers get their defaults. */
gc_error camera_open(struct camera *camera);
void camera_close(struct camera *camera);
/* True from the moment the world unplugs it until it is closed and opened again. Under the lock. */
bool camera_lost(struct camera *camera);
/* The same for callers without the lock. */
bool camera_is_lost(struct camera *camera);
/* True when nobody holds it open, in this process or another. */
bool camera_free_to_open(struct camera *camera);
/* The device's own clock at a moment of the host's. Under the lock. */
uint64_t device_clock(const struct camera *camera, uint64_t at_ns);

gc_error camera_read(struct camera *camera, uint64_t address, void *out, size_t size);
gc_error camera_write(struct camera *camera, uint64_t address, const void *data, size_t size);
/* Bytes of the pixels, and of all a frame brings. Under the lock. */
size_t camera_image_bytes(const struct camera *camera);
size_t camera_payload(const struct camera *camera);
/* For a call that is never to return. */
_Noreturn void hang(void);

/* User sets; under the lock. Load and save are refused (GC_ACCESS_DENIED) for what is not there or not to be saved. */
void user_sets_open(struct camera *camera, const struct settings *factory);
gc_error user_set_load(struct camera *camera);
gc_error user_set_save(struct camera *camera);
gc_error user_set_at_power_up(struct camera *camera, uint32_t which);

/* The trigger lines' own thread. */
void lines_open(struct camera *camera);
void lines_close(struct camera *camera);

/* Begin an exposure; delay_us: how long its trigger has waited. Under the lock, as all of these. */
void expose(struct camera *camera, double delay_us);
/* False: all the camera's memory holds frames that are not sent yet. */
bool has_memory(const struct camera *camera);
void edge(struct camera *camera, uint32_t line, bool rising);
void software_trigger(struct camera *camera);
void exposures_reset(struct camera *camera);
/* Begin and end what is due. Returns when something is due next. */
uint64_t advance(struct camera *camera);
/* Fill the next queued buffer; under the lock. */
void deliver(struct camera *camera, const struct shot *shot);
/* Wait for a change, at most until the moment; under the lock. False when the moment has come. */
bool wait_until(struct camera *camera, uint64_t at_ns);

/* The stream: all take the camera's lock themselves. */
gc_error stream_announce(struct camera *camera, void *bytes, size_t size, void *user, struct buffer **out);
gc_error stream_revoke(struct camera *camera, struct buffer *buffer, void **bytes, void **user);
gc_error stream_queue(struct camera *camera, struct buffer *buffer);
gc_error stream_flush(struct camera *camera, int32_t operation);
gc_error stream_start(struct camera *camera);
void stream_stop(struct camera *camera);
void stream_close(struct camera *camera);
/* The next delivered buffer; GC_TIMEOUT, or GC_ABORT after a kill. timeout_ms UINT64_MAX waits for ever. */
gc_error stream_next(struct camera *camera, uint64_t timeout_ms, struct buffer **out);
/* Under the lock. */
bool stream_has(const struct camera *camera, const struct buffer *buffer);

#endif
