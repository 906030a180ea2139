/* The stream: buffers go in empty and come out with a picture, and its chunks behind it. */
#include "sensor.h"

#include "genapi.h"

#include <stdlib.h>
#include <string.h>

#define CHUNK_BYTES 8u

static struct buffer *take_first(struct line_up *line)
{
    struct buffer *first = line->at[0];
    memmove(line->at, line->at + 1, --line->count * sizeof *line->at);
    return first;
}

/* ---- chunks ---- */

static size_t chunk_bytes(const struct camera *camera)
{
    size_t bytes = 0;
    for (unsigned which = 0; which < CHUNKS; which++)
        bytes += camera->set.now.chunk[which].enabled ? CHUNK_BYTES : 0;
    return camera->set.now.chunk_mode ? bytes : 0;
}

size_t camera_payload(const struct camera *camera)
{
    return camera_image_bytes(camera) + chunk_bytes(camera);
}

/* Write the chosen chunks behind the pixels, each where the buffer's list of chunks says. */
static void add_chunks(const struct camera *camera, const struct shot *shot, struct buffer *buffer)
{
    const uint64_t values[CHUNKS] = {
        [CHUNK_SELECTOR_FRAME_ID] = shot->frame,
        [CHUNK_SELECTOR_TIMESTAMP] = buffer->stamped ? buffer->device_ns : 0,
        [CHUNK_SELECTOR_COUNTER_VALUE] = shot->counter,
    };
    static const uint64_t IDS[CHUNKS] = {
        [CHUNK_SELECTOR_FRAME_ID] = ID_CHUNK_FRAME_ID,
        [CHUNK_SELECTOR_TIMESTAMP] = ID_CHUNK_TIMESTAMP,
        [CHUNK_SELECTOR_EXPOSURE_TIME] = ID_CHUNK_EXPOSURE_TIME,
        [CHUNK_SELECTOR_COUNTER_VALUE] = ID_CHUNK_COUNTER_VALUE,
    };
    if (!camera->set.now.chunk_mode || buffer->incomplete)
        return;
    for (unsigned which = 0; which < CHUNKS; which++) {
        if (!camera->set.now.chunk[which].enabled || buffer->filled + CHUNK_BYTES > buffer->size)
            continue;
        const void *value = which == CHUNK_SELECTOR_EXPOSURE_TIME ? (const void *)&shot->exposure_us : &values[which];
        memcpy(buffer->bytes + buffer->filled, value, CHUNK_BYTES);
        buffer->chunks[buffer->chunk_count++] =
            (struct gc_chunk){IDS[which], (ptrdiff_t)buffer->filled, CHUNK_BYTES};
        buffer->filled += CHUNK_BYTES;
    }
}

void deliver(struct camera *camera, const struct shot *shot)
{
    struct stream *stream = &camera->stream;
    if (shot->crash)
        abort(); /* what a camera maker's library may do at any time */
    if (shot->dropped)
        return;
    if (!stream->input.count) {
        stream->underrun++;
        return;
    }
    struct buffer *buffer = take_first(&stream->input);
    const size_t bytes = shot->bytes < buffer->size ? shot->bytes : buffer->size;
    buffer->incomplete = shot->incomplete || !shot->bytes || bytes < shot->bytes;
    buffer->filled = shot->incomplete ? bytes / 2 : bytes;
    if (shot->image)
        memcpy(buffer->bytes, shot->image, buffer->filled);
    buffer->state = DELIVERED;
    buffer->fresh = true;
    buffer->frame = shot->frame;
    buffer->device_ns = device_clock(camera, shot->at_ns);
    buffer->stamped = camera->set.timestamps && !scene_flag(&camera->scene.head->clockless);
    buffer->width = shot->width;
    buffer->height = shot->height;
    buffer->offset_x = shot->offset_x;
    buffer->offset_y = shot->offset_y;
    buffer->pixel_format = shot->pixel_format;
    buffer->chunk_count = 0;
    add_chunks(camera, shot, buffer);
    stream->output.at[stream->output.count++] = buffer;
    stream->delivered++;
    pthread_cond_broadcast(&camera->changed);
}

/* The thread that begins and ends exposures. */
static void *read_out(void *argument)
{
    struct camera *camera = argument;
    pthread_mutex_lock(&camera->lock);
    while (camera->stream.grabbing)
        wait_until(camera, advance(camera));
    pthread_mutex_unlock(&camera->lock);
    return NULL;
}

/* ---- buffers ---- */

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
        camera->frame = camera->missed = 0; /* frame numbers begin anew: a new epoch */
        exposures_reset(camera);
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
    for (;;) {
        pthread_mutex_lock(&camera->lock);
        struct buffer *buffer = stream->announced_count ? stream->announced[0] : NULL;
        if (!buffer) { /* the consumer does not unregister: a second open would be refused */
            stream->event_on = stream->open = false;
            stream->kills = 0;
        }
        pthread_mutex_unlock(&camera->lock);
        if (!buffer)
            return;
        stream_revoke(camera, buffer, NULL, NULL);
    }
}

gc_error stream_next(struct camera *camera, uint64_t timeout_ms, struct buffer **out)
{
    struct stream *stream = &camera->stream;
    gc_error result = GC_SUCCESS;
    bool hangs = false;
    const uint64_t now = monotonic_ns();
    const bool for_ever = timeout_ms > (UINT64_MAX - now) / 1000000u;
    pthread_mutex_lock(&camera->lock);
    while (!stream->output.count && !stream->kills) {
        if (for_ever)
            pthread_cond_wait(&camera->changed, &camera->lock);
        else if (!wait_until(camera, now + timeout_ms * 1000000u))
            break;
    }
    if (stream->kills) {
        stream->kills--;
        result = GC_ABORT;
    } else if (stream->output.count) {
        hangs = camera->open && scene_mishap(&camera->scene, MISHAP_HANG_DELIVERY, NULL);
        *out = take_first(&stream->output);
        (*out)->state = UNQUEUED;
    } else {
        result = GC_TIMEOUT;
    }
    pthread_mutex_unlock(&camera->lock);
    if (hangs)
        hang();
    return result;
}
