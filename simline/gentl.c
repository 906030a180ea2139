/* okngsim.cti: a GenTL 1.5 producer whose cameras look at scenes written by the simulated line.
 *
 * The 57 functions of the standard, each a thin door: check the handle, ask `sensor.c`, copy the answer out.
 *
 *   OKNG_SIM=FOLDER   one camera for each FOLDER/SERIAL.scene; edges arrive at the datagram socket FOLDER/SERIAL.line0
 *   not set           one camera, SN0000, with a still test pattern
 *
 * A port's description lies in its own registers from XML_AT on; `genapi.py` writes that of the camera.
 */
#include "sensor.h"

#define WITH_CAMERA_XML
#include "genapi.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define API __attribute__((visibility("default"))) gc_error
#define XML_AT 0x100000u
#define MODULE_XML_MAX 1024
#define MODEL "okngsim"
#define VENDOR "okng"
#define LIBRARY_VERSION "1.0"
#define TECHNOLOGY "Custom"
#define INTERFACE_NAME "OKNGSIM"
#define STREAM_NAME "Stream0"

#ifndef SOURCE_DIGEST
#define SOURCE_DIGEST "unknown"
#endif
/* `build.py` finds this text in the library and so knows what it was made from. */
__attribute__((used)) static const char DIGEST[] = "okngsim-sources:" SOURCE_DIGEST;

static bool initialised;
static struct module system_module = {SYSTEM, NULL};
static struct module interface_module = {INTERFACE, NULL};
static struct camera *cameras;
static pthread_mutex_t library = PTHREAD_MUTEX_INITIALIZER; /* guards the list of cameras */

static __thread gc_error last_error;
static __thread char last_text[160];

static gc_error fail(gc_error error, const char *text)
{
    last_error = error;
    snprintf(last_text, sizeof last_text, "%s", text);
    return error;
}

static gc_error checked(gc_error error, const char *text)
{
    return error == GC_SUCCESS ? GC_SUCCESS : fail(error, text);
}

/* ---- answers: type, size and value go out through the standard's three pointers ---- */

struct answer {
    int32_t *type;
    void *out;
    size_t *size;
};

static gc_error put(struct answer answer, int32_t type, const void *value, size_t size)
{
    if (!answer.size)
        return fail(GC_INVALID_PARAMETER, "no place for the size");
    if (answer.type)
        *answer.type = type;
    if (answer.out && *answer.size < size) {
        *answer.size = size;
        return fail(GC_BUFFER_TOO_SMALL, "the answer does not fit");
    }
    if (answer.out)
        memcpy(answer.out, value, size);
    *answer.size = size;
    return GC_SUCCESS;
}

static gc_error put_text(struct answer answer, const char *text)
{
    return put(answer, TYPE_STRING, text, strlen(text) + 1);
}

static gc_error put_int32(struct answer answer, int32_t value)
{
    return put(answer, TYPE_INT32, &value, sizeof value);
}

static gc_error put_uint32(struct answer answer, uint32_t value)
{
    return put(answer, TYPE_UINT32, &value, sizeof value);
}

static gc_error put_uint64(struct answer answer, uint64_t value)
{
    return put(answer, TYPE_UINT64, &value, sizeof value);
}

static gc_error put_size(struct answer answer, size_t value)
{
    return put(answer, TYPE_SIZET, &value, sizeof value);
}

static gc_error put_bool(struct answer answer, bool value)
{
    gc_bool byte = value;
    return put(answer, TYPE_BOOL8, &byte, sizeof byte);
}

static gc_error put_pointer(struct answer answer, void *value)
{
    return put(answer, TYPE_PTR, &value, sizeof value);
}

static gc_error unknown_command(void)
{
    return fail(GC_NOT_AVAILABLE, "this information is not available");
}

/* ---- handles ---- */

static struct camera *camera_of(void *handle, enum module_kind kind)
{
    struct module *module = handle;
    return module && module->kind == kind ? module->camera : NULL;
}

static gc_error bad_handle(void)
{
    return fail(GC_INVALID_HANDLE, "not a handle of that kind");
}

#define CAMERA_OR_FAIL(camera, handle, kind)             \
    struct camera *camera = camera_of((handle), (kind)); \
    if (!camera)                                         \
    return bad_handle()

static bool is_module(void *handle, enum module_kind kind)
{
    const struct module *module = handle;
    return module && module->kind == kind;
}

/* ---- which cameras there are ---- */

static struct camera *find(const char *name) /* by id or serial number */
{
    for (struct camera *camera = cameras; camera; camera = camera->next)
        if (strcmp(camera->id, name) == 0 || strcmp(camera->serial, name) == 0)
            return camera;
    return NULL;
}

static struct camera *add(const char *serial)
{
    struct camera *camera = find(serial), **end = &cameras;
    if (camera || !(camera = camera_new(serial)))
        return camera;
    while (*end && strcmp((*end)->serial, serial) < 0)
        end = &(*end)->next;
    camera->next = *end;
    *end = camera;
    return camera;
}

static void look_at_scene(const char *folder, const char *file)
{
    const char *dot = strrchr(file, '.');
    char serial[SERIAL_MAX];
    struct scene probe;
    if (!dot || strcmp(dot, ".scene") != 0 || dot == file || (size_t)(dot - file) >= sizeof serial)
        return;
    snprintf(serial, sizeof serial, "%.*s", (int)(dot - file), file);
    struct camera *camera = add(serial);
    if (!camera)
        return;
    snprintf(camera->folder, sizeof camera->folder, "%s", folder);
    int length = snprintf(camera->scene_path, sizeof camera->scene_path, "%s/%s", folder, file);
    if (length < 0 || (size_t)length >= sizeof camera->scene_path || !scene_open(&probe, camera->scene_path))
        return;
    camera->present = !scene_flag(&probe.head->unplugged); /* an unplugged camera is not listed */
    scene_close(&probe);
}

static void look_for_cameras(void)
{
    const char *folder = getenv("OKNG_SIM");
    for (struct camera *camera = cameras; camera; camera = camera->next)
        camera->present = false;
    if (!folder || !*folder) {
        struct camera *camera = add("SN0000");
        if (camera)
            camera->test_pattern = camera->present = true;
        return;
    }
    DIR *listing = opendir(folder);
    if (!listing)
        return;
    for (struct dirent *entry; (entry = readdir(listing));)
        look_at_scene(folder, entry->d_name);
    closedir(listing);
}

/* ---- library ---- */

API GCInitLib(void)
{
    pthread_mutex_lock(&library);
    const bool was = initialised;
    initialised = true;
    if (!was)
        look_for_cameras();
    pthread_mutex_unlock(&library);
    return was ? fail(GC_RESOURCE_IN_USE, "the library is initialised already") : GC_SUCCESS;
}

API GCCloseLib(void)
{
    pthread_mutex_lock(&library);
    const bool was = initialised;
    while (cameras) {
        struct camera *camera = cameras;
        cameras = camera->next;
        camera_free(camera); /* joins its threads: the code may be unloaded next */
    }
    initialised = false;
    pthread_mutex_unlock(&library);
    return was ? GC_SUCCESS : fail(GC_NOT_INITIALIZED, "the library is not initialised");
}

API GCGetLastError(int32_t *error, char *text, size_t *size)
{
    if (!size)
        return GC_INVALID_PARAMETER;
    const size_t needed = strlen(last_text) + 1;
    if (error)
        *error = last_error;
    if (text && *size < needed) {
        *size = needed;
        return GC_BUFFER_TOO_SMALL;
    }
    if (text)
        memcpy(text, last_text, needed);
    *size = needed;
    return GC_SUCCESS;
}

static gc_error system_info(int32_t command, struct answer answer)
{
    switch (command) {
    case TL_ID: return put_text(answer, MODEL);
    case TL_VENDOR: return put_text(answer, VENDOR);
    case TL_MODEL: return put_text(answer, MODEL);
    case TL_VERSION: return put_text(answer, LIBRARY_VERSION);
    case TL_TLTYPE: return put_text(answer, TECHNOLOGY);
    case TL_NAME: return put_text(answer, MODEL ".cti");
    case TL_PATHNAME: return put_text(answer, MODEL ".cti");
    case TL_DISPLAYNAME: return put_text(answer, "okng simulated line");
    case TL_CHAR_ENCODING: return put_int32(answer, 1); /* UTF-8 */
    case TL_GENTL_VER_MAJOR: return put_uint32(answer, 1);
    case TL_GENTL_VER_MINOR: return put_uint32(answer, 5);
    default: return unknown_command();
    }
}

API GCGetInfo(int32_t command, int32_t *type, void *out, size_t *size)
{
    return system_info(command, (struct answer){type, out, size});
}

/* ---- system ---- */

API TLOpen(void **system)
{
    if (!initialised)
        return fail(GC_NOT_INITIALIZED, "the library is not initialised");
    *system = &system_module;
    return GC_SUCCESS;
}

API TLClose(void *system)
{
    return is_module(system, SYSTEM) ? GC_SUCCESS : bad_handle();
}

API TLGetInfo(void *system, int32_t command, int32_t *type, void *out, size_t *size)
{
    return is_module(system, SYSTEM) ? system_info(command, (struct answer){type, out, size}) : bad_handle();
}

API TLUpdateInterfaceList(void *system, gc_bool *changed, uint64_t timeout_ms)
{
    (void)timeout_ms;
    if (!is_module(system, SYSTEM))
        return bad_handle();
    if (changed)
        *changed = 0;
    return GC_SUCCESS;
}

API TLGetNumInterfaces(void *system, uint32_t *count)
{
    if (!is_module(system, SYSTEM))
        return bad_handle();
    *count = 1;
    return GC_SUCCESS;
}

API TLGetInterfaceID(void *system, uint32_t index, char *out, size_t *size)
{
    if (!is_module(system, SYSTEM))
        return bad_handle();
    if (index)
        return fail(GC_INVALID_INDEX, "there is one interface");
    return put_text((struct answer){NULL, out, size}, INTERFACE_NAME);
}

static gc_error interface_info(int32_t command, struct answer answer)
{
    switch (command) {
    case INTERFACE_ID: return put_text(answer, INTERFACE_NAME);
    case INTERFACE_DISPLAYNAME: return put_text(answer, "okng simulated line");
    case INTERFACE_TLTYPE: return put_text(answer, TECHNOLOGY);
    default: return unknown_command();
    }
}

API TLGetInterfaceInfo(void *system, const char *id, int32_t command, int32_t *type, void *out, size_t *size)
{
    if (!is_module(system, SYSTEM))
        return bad_handle();
    if (!id || strcmp(id, INTERFACE_NAME) != 0)
        return fail(GC_INVALID_ID, "no such interface");
    return interface_info(command, (struct answer){type, out, size});
}

API TLOpenInterface(void *system, const char *id, void **interface)
{
    if (!is_module(system, SYSTEM))
        return bad_handle();
    if (!id || strcmp(id, INTERFACE_NAME) != 0)
        return fail(GC_INVALID_ID, "no such interface");
    *interface = &interface_module;
    return GC_SUCCESS;
}

/* ---- interface ---- */

API IFClose(void *interface)
{
    return is_module(interface, INTERFACE) ? GC_SUCCESS : bad_handle();
}

API IFGetInfo(void *interface, int32_t command, int32_t *type, void *out, size_t *size)
{
    return is_module(interface, INTERFACE) ? interface_info(command, (struct answer){type, out, size}) : bad_handle();
}

API IFGetParentTL(void *interface, void **system)
{
    if (!is_module(interface, INTERFACE))
        return bad_handle();
    *system = &system_module;
    return GC_SUCCESS;
}

API IFUpdateDeviceList(void *interface, gc_bool *changed, uint64_t timeout_ms)
{
    (void)timeout_ms;
    if (!is_module(interface, INTERFACE))
        return bad_handle();
    pthread_mutex_lock(&library);
    look_for_cameras();
    pthread_mutex_unlock(&library);
    if (changed)
        *changed = 1;
    return GC_SUCCESS;
}

API IFGetNumDevices(void *interface, uint32_t *count)
{
    if (!is_module(interface, INTERFACE))
        return bad_handle();
    *count = 0;
    pthread_mutex_lock(&library);
    for (struct camera *camera = cameras; camera; camera = camera->next)
        *count += camera->present;
    pthread_mutex_unlock(&library);
    return GC_SUCCESS;
}

API IFGetDeviceID(void *interface, uint32_t index, char *out, size_t *size)
{
    if (!is_module(interface, INTERFACE))
        return bad_handle();
    struct camera *found = NULL;
    pthread_mutex_lock(&library);
    for (struct camera *camera = cameras; camera && !found; camera = camera->next)
        if (camera->present && index-- == 0)
            found = camera;
    pthread_mutex_unlock(&library);
    if (!found)
        return fail(GC_INVALID_INDEX, "there are fewer cameras");
    return put_text((struct answer){NULL, out, size}, found->id); /* a camera stays until the library is closed */
}

static struct camera *find_listed(const char *id, bool *present)
{
    pthread_mutex_lock(&library);
    struct camera *camera = id ? find(id) : NULL;
    *present = camera && camera->present;
    pthread_mutex_unlock(&library);
    return camera;
}

static bool is_open(struct camera *camera)
{
    pthread_mutex_lock(&camera->lock);
    const bool open = camera->open;
    pthread_mutex_unlock(&camera->lock);
    return open;
}

static gc_error device_info(struct camera *camera, int32_t command, struct answer answer)
{
    switch (command) {
    case DEVICE_ID: return put_text(answer, camera->id);
    case DEVICE_VENDOR: return put_text(answer, VENDOR);
    case DEVICE_MODEL: return put_text(answer, MODEL);
    case DEVICE_TLTYPE: return put_text(answer, TECHNOLOGY);
    case DEVICE_DISPLAYNAME: return put_text(answer, camera->id);
    case DEVICE_ACCESS_STATUS:
        if (is_open(camera))
            return put_int32(answer, ACCESS_OPEN_READWRITE);
        return put_int32(answer, camera_free_to_open(camera) ? ACCESS_READWRITE : ACCESS_BUSY);
    case DEVICE_USER_DEFINED_NAME: return put_text(answer, camera->serial);
    case DEVICE_SERIAL_NUMBER: return put_text(answer, camera->serial);
    case DEVICE_VERSION: return put_text(answer, LIBRARY_VERSION);
    case DEVICE_TIMESTAMP_FREQUENCY: return put_uint64(answer, 1000000000u);
    default: return unknown_command();
    }
}

API IFGetDeviceInfo(void *interface, const char *id, int32_t command, int32_t *type, void *out, size_t *size)
{
    if (!is_module(interface, INTERFACE))
        return bad_handle();
    bool present;
    struct camera *camera = find_listed(id, &present);
    if (!camera)
        return fail(GC_INVALID_ID, "no such camera");
    return device_info(camera, command, (struct answer){type, out, size});
}

API IFOpenDevice(void *interface, const char *id, int32_t flags, void **device)
{
    (void)flags; /* there is one way to open a simulated camera: exclusively */
    if (!is_module(interface, INTERFACE))
        return bad_handle();
    bool present;
    struct camera *camera = find_listed(id, &present);
    if (!camera || !present)
        return fail(GC_INVALID_ID, "no such camera");
    gc_error result = camera_open(camera);
    if (result == GC_SUCCESS)
        *device = &camera->device;
    return checked(result, result == GC_RESOURCE_IN_USE ? "the camera is open already" : "the scene cannot be read");
}

/* ---- device ---- */

API DevClose(void *device)
{
    CAMERA_OR_FAIL(camera, device, DEVICE);
    camera_close(camera);
    return GC_SUCCESS;
}

API DevGetInfo(void *device, int32_t command, int32_t *type, void *out, size_t *size)
{
    CAMERA_OR_FAIL(camera, device, DEVICE);
    return device_info(camera, command, (struct answer){type, out, size});
}

API DevGetParentIF(void *device, void **interface)
{
    if (!camera_of(device, DEVICE))
        return bad_handle();
    *interface = &interface_module;
    return GC_SUCCESS;
}

API DevGetPort(void *device, void **port)
{
    CAMERA_OR_FAIL(camera, device, DEVICE);
    *port = &camera->remote;
    return GC_SUCCESS;
}

API DevGetNumDataStreams(void *device, uint32_t *count)
{
    if (!camera_of(device, DEVICE))
        return bad_handle();
    *count = 1;
    return GC_SUCCESS;
}

API DevGetDataStreamID(void *device, uint32_t index, char *out, size_t *size)
{
    if (!camera_of(device, DEVICE))
        return bad_handle();
    if (index)
        return fail(GC_INVALID_INDEX, "there is one stream");
    return put_text((struct answer){NULL, out, size}, STREAM_NAME);
}

API DevOpenDataStream(void *device, const char *id, void **stream)
{
    CAMERA_OR_FAIL(camera, device, DEVICE);
    if (!id || strcmp(id, STREAM_NAME) != 0)
        return fail(GC_INVALID_ID, "no such stream");
    pthread_mutex_lock(&camera->lock);
    const bool was_open = camera->stream.open;
    camera->stream.open = true;
    pthread_mutex_unlock(&camera->lock);
    if (was_open)
        return fail(GC_RESOURCE_IN_USE, "the stream is open already");
    *stream = &camera->stream.module;
    return GC_SUCCESS;
}

/* ---- stream ---- */

API DSGetParentDev(void *stream, void **device)
{
    CAMERA_OR_FAIL(camera, stream, STREAM);
    *device = &camera->device;
    return GC_SUCCESS;
}

API DSClose(void *stream)
{
    CAMERA_OR_FAIL(camera, stream, STREAM);
    stream_close(camera);
    return GC_SUCCESS;
}

API DSAnnounceBuffer(void *stream, void *bytes, size_t size, void *user, void **buffer)
{
    CAMERA_OR_FAIL(camera, stream, STREAM);
    if (!bytes || !buffer)
        return fail(GC_INVALID_PARAMETER, "no buffer");
    struct buffer *announced = NULL;
    gc_error result = stream_announce(camera, bytes, size, user, &announced);
    *buffer = announced;
    return checked(result, "too many buffers");
}

API DSAllocAndAnnounceBuffer(void *stream, size_t size, void *user, void **buffer)
{
    CAMERA_OR_FAIL(camera, stream, STREAM);
    if (!buffer)
        return fail(GC_INVALID_PARAMETER, "no place for the handle");
    struct buffer *announced = NULL;
    gc_error result = stream_announce(camera, NULL, size, user, &announced);
    *buffer = announced;
    return checked(result, "too many buffers, or no memory");
}

API DSRevokeBuffer(void *stream, void *buffer, void **bytes, void **user)
{
    CAMERA_OR_FAIL(camera, stream, STREAM);
    return checked(stream_revoke(camera, buffer, bytes, user), "no such buffer");
}

API DSQueueBuffer(void *stream, void *buffer)
{
    CAMERA_OR_FAIL(camera, stream, STREAM);
    return checked(stream_queue(camera, buffer), "no such buffer, or queued already");
}

API DSFlushQueue(void *stream, int32_t operation)
{
    CAMERA_OR_FAIL(camera, stream, STREAM);
    return checked(stream_flush(camera, operation), "this flush is not implemented");
}

API DSStartAcquisition(void *stream, int32_t flags, uint64_t frames)
{
    (void)flags;
    (void)frames; /* AcquisitionMode is Continuous only */
    CAMERA_OR_FAIL(camera, stream, STREAM);
    return checked(stream_start(camera), "the stream runs already");
}

API DSStopAcquisition(void *stream, int32_t flags)
{
    (void)flags;
    CAMERA_OR_FAIL(camera, stream, STREAM);
    stream_stop(camera);
    return GC_SUCCESS;
}

static gc_error stream_info(const struct camera *camera, int32_t command, struct answer answer)
{
    const struct stream *state = &camera->stream;
    switch (command) {
    case STREAM_ID: return put_text(answer, STREAM_NAME);
    case STREAM_NUM_DELIVERED: return put_uint64(answer, state->delivered);
    case STREAM_NUM_UNDERRUN: return put_uint64(answer, state->underrun);
    case STREAM_NUM_ANNOUNCED: return put_size(answer, state->announced_count);
    case STREAM_NUM_QUEUED: return put_size(answer, state->input.count);
    case STREAM_NUM_AWAIT_DELIVERY: return put_size(answer, state->output.count);
    case STREAM_NUM_STARTED: return put_uint64(answer, state->started);
    case STREAM_PAYLOAD_SIZE: return put_size(answer, camera_payload(camera));
    case STREAM_IS_GRABBING: return put_bool(answer, state->grabbing);
    case STREAM_DEFINES_PAYLOADSIZE: return put_bool(answer, false); /* the camera's own PayloadSize holds */
    case STREAM_TLTYPE: return put_text(answer, TECHNOLOGY);
    case STREAM_NUM_CHUNKS_MAX: return put_size(answer, CHUNKS);
    case STREAM_BUF_ANNOUNCE_MIN: return put_size(answer, 1);
    case STREAM_BUF_ALIGNMENT: return put_size(answer, 1);
    default: return unknown_command();
    }
}

API DSGetInfo(void *stream, int32_t command, int32_t *type, void *out, size_t *size)
{
    CAMERA_OR_FAIL(camera, stream, STREAM);
    pthread_mutex_lock(&camera->lock);
    gc_error result = stream_info(camera, command, (struct answer){type, out, size});
    pthread_mutex_unlock(&camera->lock);
    return result;
}

API DSGetBufferID(void *stream, uint32_t index, void **buffer)
{
    CAMERA_OR_FAIL(camera, stream, STREAM);
    pthread_mutex_lock(&camera->lock);
    struct buffer *found = index < camera->stream.announced_count ? camera->stream.announced[index] : NULL;
    pthread_mutex_unlock(&camera->lock);
    if (!found)
        return fail(GC_INVALID_INDEX, "there are fewer buffers");
    *buffer = found;
    return GC_SUCCESS;
}

static size_t image_bytes(const struct buffer *buffer)
{
    size_t chunks = 0;
    for (size_t i = 0; i < buffer->chunk_count; i++)
        chunks += buffer->chunks[i].length;
    return buffer->filled - chunks;
}

static gc_error buffer_info(const struct buffer *buffer, int32_t command, struct answer answer)
{
    switch (command) {
    case BUFFER_BASE: return put_pointer(answer, buffer->bytes);
    case BUFFER_SIZE: return put_size(answer, buffer->size);
    case BUFFER_USER_PTR: return put_pointer(answer, buffer->user);
    case BUFFER_TIMESTAMP: /* fall through: one tick is one nanosecond */
    case BUFFER_TIMESTAMP_NS: return buffer->stamped ? put_uint64(answer, buffer->device_ns) : unknown_command();
    case BUFFER_NEW_DATA: return put_bool(answer, buffer->fresh);
    case BUFFER_IS_QUEUED: return put_bool(answer, buffer->state != UNQUEUED);
    case BUFFER_IS_ACQUIRING: return put_bool(answer, false); /* a buffer is filled in one go, under the lock */
    case BUFFER_IS_INCOMPLETE: return put_bool(answer, buffer->incomplete);
    case BUFFER_TLTYPE: return put_text(answer, TECHNOLOGY);
    case BUFFER_SIZE_FILLED: return put_size(answer, buffer->filled);
    case BUFFER_DATA_SIZE: return put_size(answer, buffer->filled);
    case BUFFER_WIDTH: return put_size(answer, buffer->width);
    case BUFFER_HEIGHT: return put_size(answer, buffer->height);
    case BUFFER_XOFFSET: return put_size(answer, buffer->offset_x);
    case BUFFER_YOFFSET: return put_size(answer, buffer->offset_y);
    case BUFFER_XPADDING: return put_size(answer, 0);
    case BUFFER_YPADDING: return put_size(answer, 0);
    case BUFFER_FRAMEID: return put_uint64(answer, buffer->frame);
    case BUFFER_IMAGEPRESENT: return put_bool(answer, true);
    case BUFFER_IMAGEOFFSET: return put_size(answer, 0);
    case BUFFER_PAYLOADTYPE: return put_size(answer, PAYLOAD_IMAGE);
    case BUFFER_PIXELFORMAT: return put_uint64(answer, buffer->pixel_format);
    case BUFFER_PIXELFORMAT_NAMESPACE: return put_uint64(answer, NAMESPACE_PFNC_32BIT);
    case BUFFER_DELIVERED_IMAGEHEIGHT: return put_size(answer, buffer->height);
    case BUFFER_DELIVERED_CHUNKPAYLOADSIZE: return put_size(answer, buffer->filled - image_bytes(buffer));
    case BUFFER_PIXEL_ENDIANNESS: return put_int32(answer, ENDIANNESS_LITTLE);
    case BUFFER_DATA_LARGER_THAN_BUFFER: return put_bool(answer, false);
    case BUFFER_CONTAINS_CHUNKDATA: return put_bool(answer, buffer->chunk_count > 0);
    default: return unknown_command();
    }
}

API DSGetBufferInfo(void *stream, void *buffer, int32_t command, int32_t *type, void *out, size_t *size)
{
    CAMERA_OR_FAIL(camera, stream, STREAM);
    pthread_mutex_lock(&camera->lock);
    gc_error result = stream_has(camera, buffer) ? buffer_info(buffer, command, (struct answer){type, out, size})
                                                 : bad_handle();
    pthread_mutex_unlock(&camera->lock);
    return result;
}

static gc_error chunk_data(const struct buffer *buffer, struct gc_chunk *chunks, size_t *count)
{
    if (!buffer->chunk_count) {
        *count = 0;
        return fail(GC_NO_DATA, "the frame has no chunks");
    }
    if (chunks && *count < buffer->chunk_count)
        return fail(GC_BUFFER_TOO_SMALL, "the chunks do not fit");
    if (chunks)
        memcpy(chunks, buffer->chunks, buffer->chunk_count * sizeof *chunks);
    *count = buffer->chunk_count;
    return GC_SUCCESS;
}

API DSGetBufferChunkData(void *stream, void *buffer, struct gc_chunk *chunks, size_t *count)
{
    CAMERA_OR_FAIL(camera, stream, STREAM);
    if (!count)
        return fail(GC_INVALID_PARAMETER, "no place for the count");
    pthread_mutex_lock(&camera->lock);
    gc_error result = stream_has(camera, buffer) ? chunk_data(buffer, chunks, count) : bad_handle();
    pthread_mutex_unlock(&camera->lock);
    return result;
}

API DSGetNumBufferParts(void *stream, void *buffer, uint32_t *count)
{
    (void)stream;
    (void)buffer;
    (void)count;
    return fail(GC_NOT_IMPLEMENTED, "buffers have one part"); /* what genicam wants to hear for a single part */
}

API DSGetBufferPartInfo(void *stream, void *buffer, uint32_t part, int32_t command, int32_t *type, void *out,
                        size_t *size)
{
    (void)stream;
    (void)buffer;
    (void)part;
    (void)command;
    (void)type;
    (void)out;
    (void)size;
    return fail(GC_NOT_IMPLEMENTED, "buffers have one part");
}

/* ---- events: new buffers only ---- */

API GCRegisterEvent(void *source, int32_t type, void **event)
{
    struct camera *camera = camera_of(source, STREAM);
    /* any other code than NOT_IMPLEMENTED here breaks harvesters' create (its issue 436) */
    if (!camera || type != EVENT_NEW_BUFFER)
        return fail(GC_NOT_IMPLEMENTED, "this event is not sent");
    pthread_mutex_lock(&camera->lock);
    const bool was_on = camera->stream.event_on;
    camera->stream.event_on = true;
    camera->stream.kills = was_on ? camera->stream.kills : 0;
    pthread_mutex_unlock(&camera->lock);
    if (was_on)
        return fail(GC_RESOURCE_IN_USE, "the event is registered already");
    *event = &camera->stream.event;
    return GC_SUCCESS;
}

API GCUnregisterEvent(void *source, int32_t type)
{
    struct camera *camera = camera_of(source, STREAM);
    if (!camera || type != EVENT_NEW_BUFFER)
        return fail(GC_NOT_IMPLEMENTED, "this event is not sent");
    pthread_mutex_lock(&camera->lock);
    camera->stream.event_on = false;
    pthread_mutex_unlock(&camera->lock);
    return GC_SUCCESS;
}

API EventGetData(void *event, void *out, size_t *size, uint64_t timeout_ms)
{
    CAMERA_OR_FAIL(camera, event, EVENT);
    struct buffer *buffer = NULL;
    if (!out || !size || *size < sizeof(struct gc_new_buffer))
        return fail(GC_BUFFER_TOO_SMALL, "the event does not fit");
    gc_error result = stream_next(camera, timeout_ms, &buffer);
    if (result != GC_SUCCESS)
        return fail(result, result == GC_ABORT ? "the wait was ended" : "no picture in time");
    const struct gc_new_buffer data = {buffer, buffer->user};
    memcpy(out, &data, sizeof data);
    *size = sizeof data;
    return GC_SUCCESS;
}

API EventGetDataInfo(void *event, const void *in, size_t in_size, int32_t command, int32_t *type, void *out,
                     size_t *size)
{
    struct gc_new_buffer data;
    if (!camera_of(event, EVENT))
        return bad_handle();
    if (!in || in_size < sizeof data)
        return fail(GC_INVALID_PARAMETER, "not the data of this event");
    memcpy(&data, in, sizeof data);
    switch (command) {
    case EVENT_DATA_ID: return put_pointer((struct answer){type, out, size}, data.buffer);
    case EVENT_DATA_VALUE: return put_pointer((struct answer){type, out, size}, data.user);
    default: return unknown_command();
    }
}

static gc_error event_info(const struct camera *camera, int32_t command, struct answer answer)
{
    switch (command) {
    case EVENT_TYPE: return put_int32(answer, EVENT_NEW_BUFFER);
    case EVENT_NUM_IN_QUEUE: return put_size(answer, camera->stream.output.count);
    case EVENT_NUM_FIRED: return put_uint64(answer, camera->stream.delivered);
    case EVENT_SIZE_MAX: return put_size(answer, sizeof(struct gc_new_buffer));
    case EVENT_DATA_SIZE_MAX: return put_size(answer, sizeof(struct gc_new_buffer));
    default: return unknown_command();
    }
}

API EventGetInfo(void *event, int32_t command, int32_t *type, void *out, size_t *size)
{
    CAMERA_OR_FAIL(camera, event, EVENT);
    pthread_mutex_lock(&camera->lock);
    gc_error result = event_info(camera, command, (struct answer){type, out, size});
    pthread_mutex_unlock(&camera->lock);
    return result;
}

API EventFlush(void *event)
{
    CAMERA_OR_FAIL(camera, event, EVENT);
    return stream_flush(camera, QUEUE_OUTPUT_DISCARD);
}

API EventKill(void *event)
{
    CAMERA_OR_FAIL(camera, event, EVENT);
    pthread_mutex_lock(&camera->lock);
    camera->stream.kills++; /* ends one wait, under way or to come */
    pthread_cond_broadcast(&camera->changed);
    pthread_mutex_unlock(&camera->lock);
    return GC_SUCCESS;
}

/* ---- ports ---- */

static const char *const MODULE_NAME[] = {
    [SYSTEM] = "TLSystem", [INTERFACE] = "TLInterface", [DEVICE] = "TLDevice", [REMOTE] = "Device", [STREAM] = "TLDataStream"};
static const char *const PORT_NAME[] = {
    [SYSTEM] = "TLPort", [INTERFACE] = "InterfacePort", [DEVICE] = "DevicePort", [REMOTE] = "Device", [STREAM] = "StreamPort"};

static bool has_port(const struct module *module)
{
    return module && module->kind >= SYSTEM && module->kind <= STREAM;
}

/* A module without features still needs a description: genicam refuses a port without a URL. */
static const char *module_xml(const struct module *module, char *room, size_t room_size)
{
    if (module->kind == REMOTE)
        return CAMERA_XML;
    snprintf(room, room_size,
             "<?xml version=\"1.0\" encoding=\"utf-8\"?><RegisterDescription "
             "xmlns=\"http://www.genicam.org/GenApi/Version_1_1\" ModelName=\"%s\" VendorName=\"" VENDOR
             "\" StandardNameSpace=\"None\" SchemaMajorVersion=\"1\" SchemaMinorVersion=\"1\" "
             "SchemaSubMinorVersion=\"0\" MajorVersion=\"1\" MinorVersion=\"0\" SubMinorVersion=\"0\" "
             "ProductGuid=\"6f6b6e67-0001-4000-8000-00000000000%d\" "
             "VersionGuid=\"6f6b6e67-0001-4000-8001-00000000000%d\">"
             "<Category Name=\"Root\"/><Port Name=\"%s\"/></RegisterDescription>",
             MODULE_NAME[module->kind], module->kind, module->kind, PORT_NAME[module->kind]);
    return room;
}

/* The description, zeros after its end: a consumer may round its reads up. */
static gc_error read_xml(const struct module *module, uint64_t offset, void *out, size_t size)
{
    char room[MODULE_XML_MAX];
    const char *xml = module_xml(module, room, sizeof room);
    const size_t length = strlen(xml);
    if (offset >= length || size > length - offset + 8)
        return GC_INVALID_ADDRESS;
    const size_t there = length - offset < size ? length - offset : size;
    memcpy(out, xml + offset, there);
    memset((char *)out + there, 0, size - there);
    return GC_SUCCESS;
}

static gc_error read_port(struct module *module, uint64_t address, void *out, size_t size)
{
    if (module->kind == REMOTE && camera_is_lost(module->camera))
        return fail(GC_IO, "the camera is gone");
    if (address >= XML_AT)
        return checked(read_xml(module, address - XML_AT, out, size), "no such register");
    if (module->kind != REMOTE)
        return fail(GC_INVALID_ADDRESS, "this module has no registers");
    return checked(camera_read(module->camera, address, out, size), "the register cannot be read");
}

API GCReadPort(void *port, uint64_t address, void *out, size_t *size)
{
    if (!has_port(port))
        return bad_handle();
    if (!out || !size)
        return fail(GC_INVALID_PARAMETER, "no place for the data");
    return read_port(port, address, out, *size);
}

static gc_error write_port(struct module *module, uint64_t address, const void *data, size_t size)
{
    if (module->kind != REMOTE)
        return fail(GC_INVALID_ADDRESS, "this module has no registers");
    gc_error result = camera_write(module->camera, address, data, size);
    return checked(result, result == GC_IO ? "the camera is gone" : "the register cannot be written");
}

API GCWritePort(void *port, uint64_t address, const void *data, size_t *size)
{
    if (!has_port(port))
        return bad_handle();
    if (!data || !size)
        return fail(GC_INVALID_PARAMETER, "no data");
    return write_port(port, address, data, *size);
}

API GCReadPortStacked(void *port, struct gc_register *entries, size_t *count)
{
    if (!has_port(port))
        return bad_handle();
    gc_error result = GC_SUCCESS;
    size_t done = 0;
    for (; done < *count; done++)
        if ((result = read_port(port, entries[done].address, entries[done].data, entries[done].size)) != GC_SUCCESS)
            break;
    *count = done;
    return result;
}

API GCWritePortStacked(void *port, struct gc_register *entries, size_t *count)
{
    if (!has_port(port))
        return bad_handle();
    gc_error result = GC_SUCCESS;
    size_t done = 0;
    for (; done < *count; done++)
        if ((result = write_port(port, entries[done].address, entries[done].data, entries[done].size)) != GC_SUCCESS)
            break;
    *count = done;
    return result;
}

static void port_url(const struct module *module, char *out, size_t size)
{
    char room[MODULE_XML_MAX];
    snprintf(out, size, "local:%s.xml;%x;%zx", MODULE_NAME[module->kind], XML_AT,
             strlen(module_xml(module, room, sizeof room)));
}

API GCGetPortURL(void *port, char *out, size_t *size)
{
    char url[64];
    if (!has_port(port))
        return bad_handle();
    port_url(port, url, sizeof url);
    return put_text((struct answer){NULL, out, size}, url);
}

API GCGetNumPortURLs(void *port, uint32_t *count)
{
    if (!has_port(port))
        return bad_handle();
    *count = 1;
    return GC_SUCCESS;
}

API GCGetPortURLInfo(void *port, uint32_t index, int32_t command, int32_t *type, void *out, size_t *size)
{
    char text[64], room[MODULE_XML_MAX];
    const struct module *module = port;
    const struct answer answer = {type, out, size};
    if (!has_port(port))
        return bad_handle();
    if (index)
        return fail(GC_INVALID_INDEX, "there is one description");
    switch (command) {
    case URL_URL: port_url(module, text, sizeof text); return put_text(answer, text);
    case URL_SCHEMA_VER_MAJOR: return put_int32(answer, 1);
    case URL_SCHEMA_VER_MINOR: return put_int32(answer, 1);
    case URL_FILE_VER_MAJOR: return put_int32(answer, 1);
    case URL_FILE_VER_MINOR: return put_int32(answer, 0);
    case URL_FILE_VER_SUBMINOR: return put_int32(answer, 0);
    case URL_FILE_REGISTER_ADDRESS: return put_uint64(answer, XML_AT);
    case URL_FILE_SIZE: return put_uint64(answer, strlen(module_xml(module, room, sizeof room)));
    case URL_SCHEME: return put_int32(answer, 0); /* local */
    case URL_FILENAME:
        snprintf(text, sizeof text, "%s.xml", MODULE_NAME[module->kind]);
        return put_text(answer, text);
    default: return unknown_command();
    }
}

API GCGetPortInfo(void *port, int32_t command, int32_t *type, void *out, size_t *size)
{
    const struct module *module = port;
    const struct answer answer = {type, out, size};
    if (!has_port(port))
        return bad_handle();
    switch (command) {
    case PORT_ID: return put_text(answer, module->camera ? module->camera->id : INTERFACE_NAME);
    case PORT_VENDOR: return put_text(answer, VENDOR);
    case PORT_MODEL: return put_text(answer, MODEL);
    case PORT_TLTYPE: return put_text(answer, TECHNOLOGY);
    case PORT_MODULE: return put_text(answer, MODULE_NAME[module->kind]);
    case PORT_LITTLE_ENDIAN: return put_bool(answer, true);
    case PORT_BIG_ENDIAN: return put_bool(answer, false);
    case PORT_ACCESS_READ: return put_bool(answer, true);
    case PORT_ACCESS_WRITE: return put_bool(answer, module->kind == REMOTE);
    case PORT_ACCESS_NA: return put_bool(answer, false);
    case PORT_ACCESS_NI: return put_bool(answer, false);
    case PORT_VERSION: return put_text(answer, LIBRARY_VERSION);
    case PORT_PORTNAME: return put_text(answer, PORT_NAME[module->kind]);
    default: return unknown_command();
    }
}
