/* The simulated camera: registers, exposures, triggers, faults, and the buffers that carry the pictures out.
 *
 * One mutex per camera guards everything in it. Threads: the consumer's, one that reads exposures out, one that listens
 * on the trigger line. An exposure's pixels are drawn when it starts, so what the world shows later cannot get into it.
 * From the start of an exposure until it is read out the camera takes no trigger; such an edge is missed, as in life.
 */
#include "sensor.h"

#include "genapi.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define SECOND_NS 1000000000ull
#define LOOK_NS 20000000ull /* how often an idle readout looks whether the camera was unplugged */

enum { MODE_OFF, MODE_ON };
enum { SOURCE_SOFTWARE, SOURCE_LINE0 };

uint64_t monotonic_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * SECOND_NS + (uint64_t)now.tv_nsec;
}

/* Wait for a change, at most until the moment. False when the moment has come. */
static bool wait_until(struct camera *camera, uint64_t at_ns)
{
    struct timespec at = {.tv_sec = (time_t)(at_ns / SECOND_NS), .tv_nsec = (long)(at_ns % SECOND_NS)};
    return pthread_cond_timedwait(&camera->changed, &camera->lock, &at) != ETIMEDOUT;
}

/* ---- the device's own clock ---- */

static uint64_t device_clock(const struct camera *camera, uint64_t at_ns)
{
    double drift = (double)(int64_t)(at_ns - camera->opened_ns) * camera->set.drift_ppm * 1e-6;
    return at_ns + (uint64_t)camera->set.clock_offset_ns + (uint64_t)(int64_t)drift;
}

/* ---- a camera's life ---- */

struct camera *camera_new(const char *serial)
{
    struct camera *camera = calloc(1, sizeof *camera);
    if (!camera)
        return NULL;
    snprintf(camera->serial, sizeof camera->serial, "%s", serial);
    snprintf(camera->id, sizeof camera->id, "OKNGSIM_%s", camera->serial);
    camera->device = (struct module){DEVICE, camera};
    camera->remote = (struct module){REMOTE, camera};
    camera->stream.module = (struct module){STREAM, camera};
    camera->stream.event = (struct module){EVENT, camera};
    camera->scene.handle = camera->line0 = camera->line0_stop = -1;
    pthread_condattr_t clock;
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&camera->changed, &clock);
    pthread_condattr_destroy(&clock);
    pthread_mutex_init(&camera->lock, NULL);
    return camera;
}

void camera_free(struct camera *camera)
{
    camera_close(camera);
    pthread_cond_destroy(&camera->changed);
    pthread_mutex_destroy(&camera->lock);
    free(camera);
}

static uint32_t clamped(uint32_t value, uint32_t low, uint32_t high, uint32_t step)
{
    value = value < low ? low : value > high ? high : value;
    return value - value % step;
}

static void power_up(struct camera *camera)
{
    const struct scene_head *head = camera->scene.head;
    camera->set = (struct registers){
        .width = clamped(head->width, 16, WIDTH_MAX, 4),
        .height = clamped(head->height, 16, HEIGHT_MAX, 2),
        .pixel_format = head->format == 1 ? PFNC_RGB8 : PFNC_MONO8,
        .timestamps = 1,
        .exposure_us = head->reference_us >= 10 && head->reference_us <= 1e6 ? head->reference_us : 1000.0,
        .frame_rate_hz = 30.0,
        .clock_offset_ns = (int64_t)(3600 * SECOND_NS), /* another zero than the host's */
    };
    camera->opened_ns = monotonic_ns();
    camera->lost = camera->acquiring = camera->has_image = false;
    camera->exposure = (struct exposure){0};
    camera->frame = 0;
}

static void line0_open(struct camera *camera);
static void line0_close(struct camera *camera);

/* One process at a time, as with a real camera. Another one that only looks (`camera_free_to_open`) is soon gone. */
static bool hold(int handle)
{
    for (int tries = 0; tries < 10; tries++) {
        if (flock(handle, LOCK_EX | LOCK_NB) == 0)
            return true;
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    }
    return false;
}

gc_error camera_open(struct camera *camera)
{
    if (camera->open)
        return GC_RESOURCE_IN_USE;
    bool mapped = camera->test_pattern ? scene_test_pattern(&camera->scene)
                                       : scene_open(&camera->scene, camera->scene_path);
    if (!mapped)
        return GC_IO;
    if (camera->scene.handle >= 0 && !hold(camera->scene.handle)) {
        scene_close(&camera->scene);
        return GC_RESOURCE_IN_USE;
    }
    power_up(camera);
    camera->open = true;
    if (!camera->test_pattern)
        line0_open(camera);
    return GC_SUCCESS;
}

void camera_close(struct camera *camera)
{
    stream_close(camera);
    if (!camera->open)
        return;
    line0_close(camera);
    scene_close(&camera->scene); /* lets go of the file's lock, too */
    free(camera->image);
    camera->image = NULL;
    camera->image_bytes = 0;
    camera->open = camera->lost = false;
}

bool camera_lost(struct camera *camera)
{
    if (camera->open && scene_flag(&camera->scene.head->unplugged))
        camera->lost = true;
    return camera->lost;
}

bool camera_free_to_open(struct camera *camera)
{
    if (camera->open)
        return false;
    if (camera->test_pattern)
        return true;
    int handle = open(camera->scene_path, O_RDONLY | O_CLOEXEC);
    bool is_free = handle >= 0 && flock(handle, LOCK_EX | LOCK_NB) == 0;
    if (handle >= 0)
        close(handle);
    return is_free;
}

/* ---- exposures; all under the lock ---- */

size_t camera_payload(const struct camera *camera)
{
    return view_bytes(camera->set.width, camera->set.height, camera->set.pixel_format);
}

static void draw_image(struct camera *camera, uint64_t at_ns)
{
    const struct registers *set = &camera->set;
    const size_t bytes = camera_payload(camera);
    if (bytes != camera->image_bytes) {
        free(camera->image);
        camera->image = malloc(bytes);
        camera->image_bytes = camera->image ? bytes : 0;
        camera->has_image = false;
    }
    if (!camera->image)
        return;
    if (camera->has_image && scene_take(&camera->scene.head->repeat_next))
        return; /* the last frame once more: its number, stamp and pixels */
    camera->frame++;
    camera->image_frame = camera->frame;
    camera->image_ns = at_ns;
    if (camera->has_image && scene_flag(&camera->scene.head->freeze))
        return; /* a new frame with the old pixels */
    const struct view view = {
        .width = set->width,
        .height = set->height,
        .offset_x = set->offset_x,
        .offset_y = set->offset_y,
        .pixel_format = set->pixel_format,
        .encoder = __atomic_load_n(&camera->scene.head->encoder, __ATOMIC_ACQUIRE),
        .exposure_us = set->exposure_us,
        .gain_db = set->gain_db,
        .seed = camera->frame,
    };
    scene_render(&camera->scene, &view, camera->image);
    camera->has_image = true;
}

static void expose(struct camera *camera)
{
    struct scene_head *head = camera->scene.head;
    const uint64_t now = monotonic_ns();
    camera->exposure = (struct exposure){
        .busy = true,
        .started_ns = now,
        .ends_ns = now + (uint64_t)(camera->set.exposure_us * 1000.0),
    };
    draw_image(camera, now);
    camera->exposure.dropped = scene_take(&head->drop_next);
    camera->exposure.incomplete = !camera->exposure.dropped && scene_take(&head->incomplete_next);
    camera->exposure.late_us = __atomic_exchange_n(&head->late_us, 0, __ATOMIC_ACQ_REL);
    scene_count(&head->trigger_seen);
    camera->stream.started++;
    pthread_cond_broadcast(&camera->changed);
}

/* An edge on a trigger input. True when it starts an exposure. */
static bool trigger(struct camera *camera, uint32_t source)
{
    bool armed = camera->acquiring && camera->stream.grabbing && camera->set.trigger_mode == MODE_ON &&
                 camera->set.trigger_source == source && !camera_lost(camera);
    if (!armed)
        return false;
    if (camera->exposure.busy) {
        if (source == SOURCE_LINE0)
            scene_count(&camera->scene.head->line0_missed);
        return false;
    }
    expose(camera);
    return true;
}

static struct buffer *take_first(struct line_up *line)
{
    struct buffer *first = line->at[0];
    memmove(line->at, line->at + 1, --line->count * sizeof *line->at);
    return first;
}

static void deliver(struct camera *camera)
{
    struct stream *stream = &camera->stream;
    const struct registers *set = &camera->set;
    if (camera->exposure.dropped)
        return;
    if (!stream->input.count) {
        stream->underrun++;
        return;
    }
    struct buffer *buffer = take_first(&stream->input);
    size_t bytes = camera->image_bytes < buffer->size ? camera->image_bytes : buffer->size;
    buffer->incomplete = camera->exposure.incomplete || bytes < camera->image_bytes;
    buffer->filled = camera->exposure.incomplete ? bytes / 2 : bytes;
    if (camera->image)
        memcpy(buffer->bytes, camera->image, buffer->filled);
    buffer->state = DELIVERED;
    buffer->fresh = true;
    buffer->frame = camera->image_frame;
    buffer->device_ns = device_clock(camera, camera->image_ns);
    buffer->stamped = set->timestamps != 0;
    buffer->width = set->width;
    buffer->height = set->height;
    buffer->offset_x = set->offset_x;
    buffer->offset_y = set->offset_y;
    buffer->pixel_format = set->pixel_format;
    stream->output.at[stream->output.count++] = buffer;
    stream->delivered++;
    pthread_cond_broadcast(&camera->changed);
}

/* Wait for the moment while the stream runs and the camera is there; false when one of the two ended. */
static bool wait_streaming(struct camera *camera, uint64_t at_ns)
{
    for (;;) {
        if (!camera->stream.grabbing || !camera->acquiring || camera_lost(camera))
            return false;
        uint64_t now = monotonic_ns();
        if (now >= at_ns)
            return true;
        wait_until(camera, at_ns - now > LOOK_NS ? now + LOOK_NS : at_ns);
    }
}

/* The thread that starts the exposures of free run and reads all exposures out. */
static void *read_out(void *argument)
{
    struct camera *camera = argument;
    uint64_t due_ns = 0;
    pthread_mutex_lock(&camera->lock);
    while (camera->stream.grabbing) {
        bool streaming = camera->acquiring && !camera_lost(camera);
        if (streaming && !camera->exposure.busy && camera->set.trigger_mode == MODE_OFF) {
            const uint64_t now = monotonic_ns();
            due_ns += (uint64_t)(SECOND_NS / camera->set.frame_rate_hz);
            if (due_ns < now)
                due_ns = now + 50000u; /* behind: no burst to catch up, and the consumer gets a turn at the lock */
            if (wait_streaming(camera, due_ns) && camera->set.trigger_mode == MODE_OFF)
                expose(camera);
        }
        if (!camera->exposure.busy) {
            wait_until(camera, monotonic_ns() + LOOK_NS);
            continue;
        }
        if (wait_streaming(camera, camera->exposure.ends_ns + camera->exposure.late_us * 1000ull))
            deliver(camera);
        camera->exposure.busy = false;
    }
    pthread_mutex_unlock(&camera->lock);
    return NULL;
}

/* ---- the trigger line: each datagram is one rising edge ---- */

/* A socket path must stay below 108 bytes, a folder need not: go through the folder's own handle. */
static bool line0_address(const struct camera *camera, int folder, struct sockaddr_un *address)
{
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    int length = snprintf(address->sun_path, sizeof address->sun_path, "/proc/self/fd/%d/%s.line0", folder, camera->serial);
    return length > 0 && (size_t)length < sizeof address->sun_path;
}

static void *watch_line0(void *argument)
{
    struct camera *camera = argument;
    struct pollfd wakes[2] = {{.fd = camera->line0, .events = POLLIN}, {.fd = camera->line0_stop, .events = POLLIN}};
    char edge[64];
    for (;;) {
        if (poll(wakes, 2, -1) < 0 && errno != EINTR)
            return NULL;
        if (wakes[1].revents)
            return NULL;
        if (wakes[0].revents && recv(camera->line0, edge, sizeof edge, MSG_DONTWAIT) >= 0) {
            pthread_mutex_lock(&camera->lock);
            trigger(camera, SOURCE_LINE0);
            pthread_mutex_unlock(&camera->lock);
        }
    }
}

/* Without its line the camera still works by software; a folder that cannot be written is no reason to fail. */
static void line0_open(struct camera *camera)
{
    int folder = open(camera->folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct sockaddr_un address;
    char name[SERIAL_MAX + 8];
    snprintf(name, sizeof name, "%s.line0", camera->serial);
    camera->line0 = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    camera->line0_stop = eventfd(0, EFD_CLOEXEC);
    unlinkat(folder, name, 0); /* left by a process that was killed: the scene's lock says that nobody uses it */
    bool ready = folder >= 0 && camera->line0 >= 0 && camera->line0_stop >= 0 &&
                 line0_address(camera, folder, &address) &&
                 bind(camera->line0, (struct sockaddr *)&address, sizeof address) == 0 &&
                 pthread_create(&camera->line0_thread, NULL, watch_line0, camera) == 0;
    if (folder >= 0)
        close(folder);
    if (ready)
        return;
    if (camera->line0 >= 0)
        close(camera->line0);
    if (camera->line0_stop >= 0)
        close(camera->line0_stop);
    camera->line0 = camera->line0_stop = -1;
}

static void line0_close(struct camera *camera)
{
    char path[sizeof camera->folder + SERIAL_MAX + 8];
    if (camera->line0 < 0)
        return;
    uint64_t one = 1;
    if (write(camera->line0_stop, &one, sizeof one) == sizeof one)
        pthread_join(camera->line0_thread, NULL);
    snprintf(path, sizeof path, "%s/%s.line0", camera->folder, camera->serial);
    unlink(path);
    close(camera->line0);
    close(camera->line0_stop);
    camera->line0 = camera->line0_stop = -1;
}

/* ---- registers ---- */

enum form { U32, I64, U64, F64 };
struct entry {
    uint32_t address;
    enum form form;
    size_t at; /* offset in struct registers */
    bool writable, locked;
    double low, high;
    uint32_t step;
};
#define AT(field) offsetof(struct registers, field)
static const struct entry ENTRIES[] = {
    {REG_WIDTH, U32, AT(width), true, true, 16, WIDTH_MAX, 4},
    {REG_HEIGHT, U32, AT(height), true, true, 16, HEIGHT_MAX, 2},
    {REG_OFFSET_X, U32, AT(offset_x), true, true, 0, WIDTH_MAX - 16, 2},
    {REG_OFFSET_Y, U32, AT(offset_y), true, true, 0, HEIGHT_MAX - 16, 2},
    {REG_PIXEL_FORMAT, U32, AT(pixel_format), true, true, 0, 4294967295.0, 1},
    {REG_ACQUISITION_MODE, U32, AT(acquisition_mode), true, false, 0, 0, 1},
    {REG_TRIGGER_SELECTOR, U32, AT(trigger_selector), true, false, 0, 0, 1},
    {REG_TRIGGER_MODE, U32, AT(trigger_mode), true, false, 0, 1, 1},
    {REG_TRIGGER_SOURCE, U32, AT(trigger_source), true, false, 0, 1, 1},
    {REG_TRIGGER_ACTIVATION, U32, AT(trigger_activation), true, false, 0, 0, 1},
    {REG_TL_PARAMS_LOCKED, U32, AT(locked), true, false, 0, 1, 1},
    {REG_EXPOSURE_TIME, F64, AT(exposure_us), true, false, 10, 1e6, 0},
    {REG_ACQUISITION_FRAME_RATE, F64, AT(frame_rate_hz), true, false, 0.1, 2000, 0},
    {REG_GAIN, F64, AT(gain_db), true, false, 0, 24, 0},
    {REG_TIMESTAMP_LATCH_VALUE, U64, AT(latched_ns), false, false, 0, 0, 0},
    {REG_SIM_CLOCK_OFFSET, I64, AT(clock_offset_ns), true, false, -4.7e18, 4.7e18, 0},
    {REG_SIM_CLOCK_DRIFT, F64, AT(drift_ppm), true, false, -1000, 1000, 0},
    {REG_SIM_TIMESTAMPS, U32, AT(timestamps), true, false, 0, 1, 1},
};

static const struct entry *entry_at(uint64_t address)
{
    for (size_t i = 0; i < sizeof ENTRIES / sizeof *ENTRIES; i++)
        if (ENTRIES[i].address == address)
            return &ENTRIES[i];
    return NULL;
}

static size_t entry_bytes(const struct entry *entry)
{
    return entry->form == U32 ? 4 : 8;
}

/* Registers whose value follows from others. */
static bool derived(const struct camera *camera, uint64_t address, uint32_t *value)
{
    const struct registers *set = &camera->set;
    switch (address) {
    case REG_WIDTH_MAX: *value = WIDTH_MAX; return true;
    case REG_HEIGHT_MAX: *value = HEIGHT_MAX; return true;
    case REG_WIDTH_ROOM: *value = WIDTH_MAX - set->offset_x; return true;
    case REG_HEIGHT_ROOM: *value = HEIGHT_MAX - set->offset_y; return true;
    case REG_OFFSET_X_ROOM: *value = WIDTH_MAX - set->width; return true;
    case REG_OFFSET_Y_ROOM: *value = HEIGHT_MAX - set->height; return true;
    case REG_PAYLOAD_SIZE: *value = (uint32_t)camera_payload(camera); return true;
    default: return false;
    }
}

static const char *text_at(const struct camera *camera, uint64_t address)
{
    switch (address) {
    case REG_DEVICE_VENDOR_NAME: return "okng";
    case REG_DEVICE_MODEL_NAME: return "okngsim";
    case REG_DEVICE_SERIAL_NUMBER: return camera->serial;
    default: return NULL;
    }
}

static gc_error read_locked(struct camera *camera, uint64_t address, void *out, size_t size)
{
    uint32_t value;
    if (camera_lost(camera))
        return GC_IO;
    const char *text = text_at(camera, address);
    if (text) {
        memset(out, 0, size);
        memcpy(out, text, strlen(text) < size ? strlen(text) : size);
        return GC_SUCCESS;
    }
    if (derived(camera, address, &value)) {
        if (size != sizeof value)
            return GC_INVALID_ADDRESS;
        memcpy(out, &value, size);
        return GC_SUCCESS;
    }
    const struct entry *entry = entry_at(address);
    if (!entry || size != entry_bytes(entry))
        return GC_INVALID_ADDRESS;
    memcpy(out, (const char *)&camera->set + entry->at, size);
    return GC_SUCCESS;
}

gc_error camera_read(struct camera *camera, uint64_t address, void *out, size_t size)
{
    pthread_mutex_lock(&camera->lock);
    gc_error result = read_locked(camera, address, out, size);
    pthread_mutex_unlock(&camera->lock);
    return result;
}

static bool in_range(const struct camera *camera, const struct entry *entry, const void *data)
{
    double value;
    uint32_t whole = 0;
    if (entry->form == F64) {
        memcpy(&value, data, sizeof value);
    } else if (entry->form == U32) {
        memcpy(&whole, data, sizeof whole);
        value = whole;
    } else {
        int64_t wide;
        memcpy(&wide, data, sizeof wide);
        value = (double)wide;
    }
    if (!(value >= entry->low && value <= entry->high) || (entry->step && whole % entry->step))
        return false;
    switch (entry->address) { /* what depends on another register */
    case REG_WIDTH: return whole + camera->set.offset_x <= WIDTH_MAX;
    case REG_HEIGHT: return whole + camera->set.offset_y <= HEIGHT_MAX;
    case REG_OFFSET_X: return whole + camera->set.width <= WIDTH_MAX;
    case REG_OFFSET_Y: return whole + camera->set.height <= HEIGHT_MAX;
    case REG_PIXEL_FORMAT: return whole == PFNC_MONO8 || whole == PFNC_BAYER_RG8 || whole == PFNC_RGB8;
    default: return true;
    }
}

static gc_error write_locked(struct camera *camera, uint64_t address, const void *data, size_t size)
{
    if (camera_lost(camera))
        return GC_IO;
    switch (address) {
    case REG_ACQUISITION_START: camera->acquiring = true; return GC_SUCCESS;
    case REG_ACQUISITION_STOP: camera->acquiring = false; return GC_SUCCESS;
    case REG_TRIGGER_SOFTWARE: trigger(camera, SOURCE_SOFTWARE); return GC_SUCCESS;
    case REG_TIMESTAMP_LATCH: camera->set.latched_ns = device_clock(camera, monotonic_ns()); return GC_SUCCESS;
    }
    const struct entry *entry = entry_at(address);
    if (!entry || size != entry_bytes(entry))
        return GC_INVALID_ADDRESS;
    if (!entry->writable || (entry->locked && camera->set.locked))
        return GC_ACCESS_DENIED;
    if (!in_range(camera, entry, data))
        return GC_INVALID_VALUE;
    memcpy((char *)&camera->set + entry->at, data, size);
    return GC_SUCCESS;
}

gc_error camera_write(struct camera *camera, uint64_t address, const void *data, size_t size)
{
    pthread_mutex_lock(&camera->lock);
    gc_error result = write_locked(camera, address, data, size);
    pthread_cond_broadcast(&camera->changed);
    pthread_mutex_unlock(&camera->lock);
    return result;
}

/* ---- the stream ---- */

static void leave(struct line_up *line, const struct buffer *buffer)
{
    for (unsigned i = 0; i < line->count; i++)
        if (line->at[i] == buffer) {
            memmove(line->at + i, line->at + i + 1, (--line->count - i) * sizeof *line->at);
            return;
        }
}

static void enter_input(struct stream *stream, struct buffer *buffer)
{
    leave(&stream->output, buffer);
    buffer->state = QUEUED;
    buffer->fresh = false;
    stream->input.at[stream->input.count++] = buffer;
}

bool stream_has(const struct camera *camera, const struct buffer *buffer)
{
    for (unsigned i = 0; i < camera->stream.announced_count; i++)
        if (camera->stream.announced[i] == buffer)
            return true;
    return false;
}

gc_error stream_announce(struct camera *camera, void *bytes, size_t size, void *user, struct buffer **out)
{
    gc_error result = GC_OUT_OF_MEMORY;
    struct buffer *buffer = calloc(1, sizeof *buffer);
    uint8_t *memory = bytes ? bytes : malloc(size ? size : 1);
    pthread_mutex_lock(&camera->lock);
    if (buffer && memory && camera->stream.announced_count < BUFFERS_MAX) {
        *buffer = (struct buffer){.bytes = memory, .size = size, .user = user, .own = !bytes};
        camera->stream.announced[camera->stream.announced_count++] = buffer;
        *out = buffer;
        result = GC_SUCCESS;
    }
    pthread_mutex_unlock(&camera->lock);
    if (result != GC_SUCCESS) {
        free(buffer);
        if (!bytes)
            free(memory);
    }
    return result;
}

gc_error stream_revoke(struct camera *camera, struct buffer *buffer, void **bytes, void **user)
{
    struct stream *stream = &camera->stream;
    gc_error result = GC_INVALID_HANDLE;
    pthread_mutex_lock(&camera->lock);
    for (unsigned i = 0; i < stream->announced_count; i++) {
        if (stream->announced[i] != buffer)
            continue;
        leave(&stream->input, buffer);
        leave(&stream->output, buffer);
        stream->announced[i] = stream->announced[--stream->announced_count];
        if (bytes)
            *bytes = buffer->own ? NULL : buffer->bytes;
        if (user)
            *user = buffer->user;
        if (buffer->own)
            free(buffer->bytes);
        free(buffer);
        result = GC_SUCCESS;
        break;
    }
    pthread_mutex_unlock(&camera->lock);
    return result;
}

gc_error stream_queue(struct camera *camera, struct buffer *buffer)
{
    gc_error result = GC_SUCCESS;
    pthread_mutex_lock(&camera->lock);
    if (!stream_has(camera, buffer))
        result = GC_INVALID_HANDLE;
    else if (buffer->state == QUEUED)
        result = GC_RESOURCE_IN_USE;
    else
        enter_input(&camera->stream, buffer);
    pthread_mutex_unlock(&camera->lock);
    return result;
}

static void discard(struct line_up *line)
{
    while (line->count)
        line->at[--line->count]->state = UNQUEUED;
}

gc_error stream_flush(struct camera *camera, int32_t operation)
{
    struct stream *stream = &camera->stream;
    gc_error result = GC_SUCCESS;
    pthread_mutex_lock(&camera->lock);
    switch (operation) {
    case QUEUE_OUTPUT_DISCARD: discard(&stream->output); break;
    case QUEUE_ALL_DISCARD: discard(&stream->output); discard(&stream->input); break;
    case QUEUE_ALL_TO_INPUT: /* fall through */
    case QUEUE_UNQUEUED_TO_INPUT:
        for (unsigned i = 0; i < stream->announced_count; i++) {
            struct buffer *buffer = stream->announced[i];
            if (buffer->state == UNQUEUED || (operation == QUEUE_ALL_TO_INPUT && buffer->state == DELIVERED))
                enter_input(stream, buffer);
        }
        break;
    default: result = GC_NOT_IMPLEMENTED;
    }
    pthread_mutex_unlock(&camera->lock);
    return result;
}

gc_error stream_start(struct camera *camera)
{
    struct stream *stream = &camera->stream;
    gc_error result = GC_SUCCESS;
    pthread_mutex_lock(&camera->lock);
    if (stream->grabbing) {
        result = GC_RESOURCE_IN_USE;
    } else {
        stream->delivered = stream->underrun = stream->started = 0;
        stream->grabbing = true;
        camera->frame = 0; /* frame numbers begin anew: a new epoch */
        camera->has_image = false;
        camera->exposure = (struct exposure){0};
        if (pthread_create(&stream->readout, NULL, read_out, camera) != 0) {
            stream->grabbing = false;
            result = GC_ERROR;
        }
    }
    pthread_mutex_unlock(&camera->lock);
    return result;
}

void stream_stop(struct camera *camera)
{
    pthread_mutex_lock(&camera->lock);
    bool was_grabbing = camera->stream.grabbing;
    camera->stream.grabbing = false;
    pthread_cond_broadcast(&camera->changed);
    pthread_mutex_unlock(&camera->lock);
    if (was_grabbing)
        pthread_join(camera->stream.readout, NULL);
}

void stream_close(struct camera *camera)
{
    struct stream *stream = &camera->stream;
    stream_stop(camera);
    while (stream->announced_count)
        stream_revoke(camera, stream->announced[0], NULL, NULL);
    stream->event_on = stream->open = false; /* the consumer does not unregister: a second open would be refused */
}

gc_error stream_next(struct camera *camera, uint64_t timeout_ms, struct buffer **out)
{
    struct stream *stream = &camera->stream;
    gc_error result = GC_SUCCESS;
    const uint64_t now = monotonic_ns();
    const bool for_ever = timeout_ms > (UINT64_MAX - now) / 1000000u;
    pthread_mutex_lock(&camera->lock);
    while (!stream->output.count && !stream->killed) {
        if (for_ever)
            pthread_cond_wait(&camera->changed, &camera->lock);
        else if (!wait_until(camera, now + timeout_ms * 1000000u))
            break;
    }
    if (stream->killed) {
        stream->killed = false;
        result = GC_ABORT;
    } else if (stream->output.count) {
        *out = take_first(&stream->output);
        (*out)->state = UNQUEUED;
    } else {
        result = GC_TIMEOUT;
    }
    pthread_mutex_unlock(&camera->lock);
    return result;
}
