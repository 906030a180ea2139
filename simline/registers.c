/* The camera's registers: what is read, what is written, what is refused. */
#include "sensor.h"

#include "genapi.h"
#include "pixels.h"

#include <string.h>
#include <time.h>

enum form { U32, I64, U64, F64 };
/* A register that stands for one of several has the selected one's place. */
enum bank { SINGLE, PER_TRIGGER, PER_LINE, PER_CHUNK };
struct entry {
    uint32_t address; /* these seven: a row of genapi.h */
    enum form form;
    bool writable, locked;
    double low, high;
    uint32_t step;
    size_t at; /* offset in struct registers */
    enum bank bank;
};
#define AT(field) offsetof(struct registers, field)
static const struct entry ENTRIES[] = {
    {ROW_WIDTH, AT(now.width), SINGLE},
    {ROW_HEIGHT, AT(now.height), SINGLE},
    {ROW_OFFSET_X, AT(now.offset_x), SINGLE},
    {ROW_OFFSET_Y, AT(now.offset_y), SINGLE},
    {ROW_PIXEL_FORMAT, AT(now.pixel_format), SINGLE},
    {ROW_ACQUISITION_MODE, AT(now.acquisition_mode), SINGLE},
    {ROW_ACQUISITION_FRAME_RATE_ENABLE, AT(now.frame_rate_enable), SINGLE},
    {ROW_ACQUISITION_FRAME_RATE, AT(now.frame_rate_hz), SINGLE},
    {ROW_ACQUISITION_BURST_FRAME_COUNT, AT(now.burst_frames), SINGLE},
    {ROW_TRIGGER_SELECTOR, AT(now.trigger_selector), SINGLE},
    {ROW_TRIGGER_MODE, AT(now.trigger[0].mode), PER_TRIGGER},
    {ROW_TRIGGER_SOURCE, AT(now.trigger[0].source), PER_TRIGGER},
    {ROW_TRIGGER_ACTIVATION, AT(now.trigger[0].activation), PER_TRIGGER},
    {ROW_TRIGGER_OVERLAP, AT(now.trigger[0].overlap), PER_TRIGGER},
    {ROW_TRIGGER_DELAY, AT(now.trigger[0].delay_us), PER_TRIGGER},
    {ROW_LINE_SELECTOR, AT(now.line_selector), SINGLE},
    {ROW_LINE_DEBOUNCER_TIME, AT(now.line[0].debounce_us), PER_LINE},
    {ROW_COUNTER_SELECTOR, AT(now.counter_selector), SINGLE},
    {ROW_COUNTER_EVENT_SOURCE, AT(now.counter_source), SINGLE},
    {ROW_COUNTER_EVENT_ACTIVATION, AT(now.counter_activation), SINGLE},
    {ROW_COUNTER_VALUE, AT(counter), SINGLE},
    {ROW_CHUNK_MODE_ACTIVE, AT(now.chunk_mode), SINGLE},
    {ROW_CHUNK_SELECTOR, AT(now.chunk_selector), SINGLE},
    {ROW_CHUNK_ENABLE, AT(now.chunk[0].enabled), PER_CHUNK},
    {ROW_CHUNK_COUNTER_SELECTOR, AT(now.chunk_counter_selector), SINGLE},
    {ROW_USER_SET_SELECTOR, AT(user_set), SINGLE},
    {ROW_USER_SET_DEFAULT, AT(user_set_default), SINGLE},
    {ROW_TL_PARAMS_LOCKED, AT(locked), SINGLE},
    {ROW_EXPOSURE_TIME, AT(now.exposure_us), SINGLE},
    {ROW_EXPOSURE_AUTO, AT(now.exposure_auto), SINGLE},
    {ROW_GAIN, AT(now.gain_db), SINGLE},
    {ROW_GAIN_AUTO, AT(now.gain_auto), SINGLE},
    {ROW_BLACK_LEVEL, AT(now.black_level), SINGLE},
    {ROW_TIMESTAMP_LATCH_VALUE, AT(latched_ns), SINGLE},
    {ROW_SIM_CLOCK_OFFSET, AT(clock_offset_ns), SINGLE},
    {ROW_SIM_CLOCK_DRIFT, AT(drift_ppm), SINGLE},
    {ROW_SIM_TIMESTAMPS, AT(timestamps), SINGLE},
    {ROW_SIM_STROBE_DELAY, AT(now.strobe_delay_us), SINGLE},
    {ROW_SIM_STROBE_DURATION, AT(now.strobe_us), SINGLE},
    {ROW_SIM_READOUT_TIME, AT(now.readout_us), SINGLE},
    {ROW_SIM_LINE_SCAN, AT(now.line_scan), SINGLE},
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

static char *place_of(struct camera *camera, const struct entry *entry)
{
    const struct settings *now = &camera->set.now;
    size_t at = entry->at;
    switch (entry->bank) {
    case PER_TRIGGER: at += now->trigger_selector * sizeof *now->trigger; break;
    case PER_LINE: at += now->line_selector * sizeof *now->line; break;
    case PER_CHUNK: at += now->chunk_selector * sizeof *now->chunk; break;
    case SINGLE: break;
    }
    return (char *)&camera->set + at;
}

static bool has_clock(const struct camera *camera)
{
    return !scene_flag(&camera->scene.head->clockless);
}

/* Registers whose value follows from others. */
static bool derived(const struct camera *camera, uint64_t address, uint64_t *value, size_t *size)
{
    const struct settings *now = &camera->set.now;
    *size = 4;
    switch (address) {
    case REG_WIDTH_MAX: *value = WIDTH_MAX; return true;
    case REG_HEIGHT_MAX: *value = HEIGHT_MAX; return true;
    case REG_WIDTH_ROOM: *value = WIDTH_MAX - now->offset_x; return true;
    case REG_HEIGHT_ROOM: *value = HEIGHT_MAX - now->offset_y; return true;
    case REG_OFFSET_X_ROOM: *value = WIDTH_MAX - now->width; return true;
    case REG_OFFSET_Y_ROOM: *value = HEIGHT_MAX - now->height; return true;
    case REG_PAYLOAD_SIZE: *value = camera_payload(camera); return true;
    case REG_LINE_MODE: *value = LINE_MODE_INPUT; return true;
    case REG_SIM_HAS_CLOCK: *value = has_clock(camera); return true;
    case REG_SIM_MISSED_TRIGGERS: *value = camera->missed; *size = 8; return true;
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
    uint64_t value;
    size_t bytes;
    if (camera_lost(camera))
        return GC_IO;
    const char *text = text_at(camera, address);
    if (text) {
        memset(out, 0, size);
        memcpy(out, text, strlen(text) < size ? strlen(text) : size);
        return GC_SUCCESS;
    }
    if (derived(camera, address, &value, &bytes)) {
        if (size != bytes)
            return GC_INVALID_ADDRESS;
        memcpy(out, &value, size); /* little-endian, as the port says */
        return GC_SUCCESS;
    }
    const struct entry *entry = entry_at(address);
    if (!entry || size != entry_bytes(entry))
        return GC_INVALID_ADDRESS;
    memcpy(out, place_of(camera, entry), size);
    return GC_SUCCESS;
}

/* What the world does to every access: under the lock it is only looked at, it is waited for outside. */
static void be_slow(struct camera *camera)
{
    int64_t slow_ms = 0;
    pthread_mutex_lock(&camera->lock);
    const bool there = camera->open, hangs = there && scene_mishap(&camera->scene, MISHAP_HANG_REGISTER, NULL);
    if (there)
        scene_mishap(&camera->scene, MISHAP_SLOW, &slow_ms);
    pthread_mutex_unlock(&camera->lock);
    if (hangs)
        hang();
    if (slow_ms > 0)
        nanosleep(&(struct timespec){.tv_sec = slow_ms / 1000, .tv_nsec = slow_ms % 1000 * 1000000}, NULL);
}

gc_error camera_read(struct camera *camera, uint64_t address, void *out, size_t size)
{
    be_slow(camera);
    pthread_mutex_lock(&camera->lock);
    gc_error result = camera->open ? read_locked(camera, address, out, size) : GC_IO;
    pthread_mutex_unlock(&camera->lock);
    return result;
}

static bool in_range(const struct camera *camera, const struct entry *entry, const void *data)
{
    const struct settings *now = &camera->set.now;
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
    case REG_WIDTH: return whole <= WIDTH_MAX - now->offset_x;
    case REG_HEIGHT: return whole <= HEIGHT_MAX - now->offset_y;
    case REG_OFFSET_X: return whole <= WIDTH_MAX - now->width;
    case REG_OFFSET_Y: return whole <= HEIGHT_MAX - now->height;
    case REG_PIXEL_FORMAT: return pixel_format_of(whole) != NULL;
    default: return true;
    }
}

static bool is_locked(const struct camera *camera, const struct entry *entry)
{
    switch (entry->address) { /* an automatic holds its own */
    case REG_EXPOSURE_TIME: return camera->set.now.exposure_auto != EXPOSURE_AUTO_OFF;
    case REG_GAIN: return camera->set.now.gain_auto != GAIN_AUTO_OFF;
    default: return entry->locked && camera->set.locked;
    }
}

/* True when the address is a command's, which then has been run. */
static bool run_command(struct camera *camera, uint64_t address, gc_error *result)
{
    *result = GC_SUCCESS;
    switch (address) {
    case REG_ACQUISITION_START: camera->acquiring = true; return true;
    case REG_ACQUISITION_STOP: camera->acquiring = false; return true;
    case REG_TRIGGER_SOFTWARE: software_trigger(camera); return true;
    case REG_COUNTER_RESET: camera->set.counter = 0; return true;
    case REG_USER_SET_LOAD: *result = user_set_load(camera); return true;
    case REG_USER_SET_SAVE: *result = user_set_save(camera); return true;
    case REG_TIMESTAMP_LATCH:
        if (has_clock(camera))
            camera->set.latched_ns = device_clock(camera, monotonic_ns());
        else
            *result = GC_ACCESS_DENIED;
        return true;
    default: return false;
    }
}

static gc_error write_locked(struct camera *camera, uint64_t address, const void *data, size_t size)
{
    gc_error result;
    if (camera_lost(camera))
        return GC_IO;
    if (run_command(camera, address, &result))
        return result;
    const struct entry *entry = entry_at(address);
    if (!entry || size != entry_bytes(entry))
        return GC_INVALID_ADDRESS;
    if (!entry->writable || is_locked(camera, entry))
        return GC_ACCESS_DENIED;
    if (!in_range(camera, entry, data))
        return GC_INVALID_VALUE;
    if (address == REG_USER_SET_DEFAULT) {
        uint32_t which;
        memcpy(&which, data, sizeof which);
        return user_set_at_power_up(camera, which);
    }
    memcpy(place_of(camera, entry), data, size);
    if (address == REG_ACQUISITION_FRAME_RATE)
        camera->is_due = false; /* the new rate holds from the next frame on */
    if (address == REG_EXPOSURE_AUTO || address == REG_GAIN_AUTO)
        camera->auto_tries = 0;
    return GC_SUCCESS;
}

gc_error camera_write(struct camera *camera, uint64_t address, const void *data, size_t size)
{
    be_slow(camera);
    pthread_mutex_lock(&camera->lock);
    gc_error result = camera->open ? write_locked(camera, address, data, size) : GC_IO;
    pthread_cond_broadcast(&camera->changed);
    pthread_mutex_unlock(&camera->lock);
    return result;
}
