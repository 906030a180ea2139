/* Triggers and exposures.
 *
 * An exposure's pixels are drawn when it starts, so what the world shows later cannot get into it. Then it is read out,
 * which takes SimReadoutTime, and delivered. Whether a trigger is taken meanwhile is what TriggerOverlap says; one that
 * is not is missed, as in life. All of it under the camera's lock.
 */
#include "sensor.h"

#include "genapi.h"
#include "pixels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_NS 20000000ull /* how often an idle camera looks whether it was unplugged */
#define NEVER UINT64_MAX
#define TURN_NS 50000u /* behind its rate: no burst to catch up, and the consumer gets a turn at the lock */
#define AUTO_LEVEL 110.0
#define AUTO_SLACK 0.05
#define AUTO_TRIES 8

size_t camera_image_bytes(const struct camera *camera)
{
    const struct settings *now = &camera->set.now;
    return view_bytes(now->width, now->height, now->pixel_format);
}

void exposures_reset(struct camera *camera)
{
    camera->exposing = camera->reading = camera->last = NULL;
    camera->waiting = false;
    camera->burst_left = camera->burst_at = camera->unwanted = 0;
    camera->due_ns = 0;
    camera->is_due = false;
}

/* ---- one exposure ---- */

/* A place that is not in use, and if possible not the last picture's. */
static struct shot *free_shot(struct camera *camera)
{
    struct shot *found = NULL;
    for (unsigned i = 0; i < SHOTS; i++) {
        struct shot *shot = &camera->shots[i];
        if (shot != camera->exposing && shot != camera->reading && (!found || found == camera->last))
            found = shot;
    }
    return found;
}

static bool make_room(struct shot *shot, size_t bytes)
{
    if (bytes > shot->room) {
        free(shot->image);
        shot->image = malloc(bytes);
        shot->room = shot->image ? bytes : 0;
    }
    shot->bytes = shot->image ? bytes : 0;
    return shot->image != NULL;
}

/* The share of the exposure during which the lamp is on. The lamp's pulse counts from the trigger, as the exposure. */
static double lamp_share(const struct settings *now, double delay_us)
{
    if (now->strobe_us <= 0)
        return 1.0; /* always on */
    const double begin = fmax(delay_us, now->strobe_delay_us);
    const double end = fmin(delay_us + now->exposure_us, now->strobe_delay_us + now->strobe_us);
    return end > begin ? (end - begin) / now->exposure_us : 0.0;
}

/* ExposureAuto and GainAuto, Once: each frame a step towards a middling level, then off. */
static void step_automatic(struct camera *camera, double mean)
{
    struct settings *now = &camera->set.now;
    const double wanted = AUTO_LEVEL / fmax(mean, 1.0);
    const bool there = fabs(wanted - 1.0) <= AUTO_SLACK || ++camera->auto_tries > AUTO_TRIES;
    if (now->exposure_auto == EXPOSURE_AUTO_ONCE) {
        now->exposure_us = there ? now->exposure_us : fmin(1e6, fmax(10.0, now->exposure_us * wanted));
        now->exposure_auto = there ? EXPOSURE_AUTO_OFF : EXPOSURE_AUTO_ONCE;
    } else if (now->gain_auto == GAIN_AUTO_ONCE) {
        now->gain_db = there ? now->gain_db : fmin(24.0, fmax(0.0, now->gain_db + 20.0 * log10(wanted)));
        now->gain_auto = there ? GAIN_AUTO_OFF : GAIN_AUTO_ONCE;
    }
    if (there)
        camera->auto_tries = 0;
}

/* The frame before once more: its number and stamp, and where asked for its pixels only. False: there was none. */
static bool show_again(struct camera *camera, struct shot *shot, bool only_pixels)
{
    const struct shot *last = camera->last;
    if (!last || (only_pixels && last->bytes != view_bytes(shot->width, shot->height, shot->pixel_format)) ||
        !make_room(shot, last->bytes))
        return false;
    memmove(shot->image, last->image, last->bytes); /* may be the same place */
    if (only_pixels)
        return true;
    shot->frame = last->frame;
    shot->at_ns = last->at_ns;
    shot->width = last->width;
    shot->height = last->height;
    shot->offset_x = last->offset_x;
    shot->offset_y = last->offset_y;
    shot->pixel_format = last->pixel_format;
    return true;
}

static void render(struct camera *camera, struct shot *shot, double delay_us)
{
    const struct settings *now = &camera->set.now;
    const bool strips = now->line_scan == SIM_LINE_SCAN_ON;
    int64_t times = 1;
    double light = lamp_share(now, delay_us);
    if (scene_mishap(&camera->scene, MISHAP_BRIGHT, &times))
        light *= (double)times;
    if (scene_mishap(&camera->scene, MISHAP_BLACK, NULL))
        light = 0.0;
    if (!make_room(shot, view_bytes(shot->width, shot->height, shot->pixel_format)))
        return;
    const struct view view = {
        .width = shot->width,
        .height = shot->height,
        .offset_x = shot->offset_x,
        .offset_y = shot->offset_y,
        .whole_height = strips ? now->height * now->burst_frames : now->height,
        .line = strips ? now->height * (camera->burst_at % now->burst_frames) : 0,
        .pixel_format = shot->pixel_format,
        .encoder = __atomic_load_n(&camera->scene.head->encoder, __ATOMIC_ACQUIRE),
        .exposure_us = now->exposure_us,
        .gain_db = now->gain_db,
        .light = light,
        .black_level = now->black_level,
        .seed = shot->frame,
    };
    const bool automatic = now->exposure_auto != EXPOSURE_AUTO_OFF || now->gain_auto != GAIN_AUTO_OFF;
    const double mean = scene_render(&camera->scene, &view, shot->image, automatic);
    if (automatic)
        step_automatic(camera, mean);
}

/* What the world has planned for this frame. */
static void plan_frame(struct camera *camera, struct shot *shot)
{
    struct scene *scene = &camera->scene;
    int64_t value = 0;
    /* each is asked: an occasion counts for every kind, whatever else happens to the frame */
    const bool drop = scene_mishap(scene, MISHAP_DROP, NULL);
    const bool incomplete = scene_mishap(scene, MISHAP_INCOMPLETE, NULL);
    shot->dropped = drop || scene_take(&scene->head->drop_next);
    shot->incomplete = !shot->dropped && (incomplete || scene_take(&scene->head->incomplete_next));
    shot->late_us = __atomic_exchange_n(&scene->head->late_us, 0, __ATOMIC_ACQ_REL);
    if (scene_mishap(scene, MISHAP_LATE, &value))
        shot->late_us += (uint32_t)value;
    if (scene_mishap(scene, MISHAP_BURST, &value))
        shot->followers = (uint32_t)value;
    if (scene_mishap(scene, MISHAP_CLOCK_JUMP, &value))
        camera->jumped_ns += value;
    if (scene_mishap(scene, MISHAP_WRONG_SIZE, NULL))
        shot->height /= 2;
    if (scene_mishap(scene, MISHAP_WRONG_FORMAT, NULL))
        shot->pixel_format = shot->pixel_format == PFNC_MONO8 ? PFNC_BAYERRG8 : PFNC_MONO8;
    if (scene_mishap(scene, MISHAP_UNPLUG, NULL))
        __atomic_store_n(&scene->head->unplugged, 1, __ATOMIC_RELEASE);
    shot->crash = scene_mishap(scene, MISHAP_CRASH, NULL);
}

static void expose(struct camera *camera, double delay_us)
{
    const struct settings *now = &camera->set.now;
    struct scene_head *head = camera->scene.head;
    const uint64_t at_ns = monotonic_ns();
    struct shot *shot = free_shot(camera);
    if (camera->set.now.counter_source == COUNTER_EVENT_SOURCE_FRAME_START)
        camera->set.counter++;
    *shot = (struct shot){
        .image = shot->image,
        .room = shot->room,
        .bytes = shot->bytes, /* where it is the last picture, it may be shown again */
        .frame = camera->frame + 1,
        .at_ns = at_ns,
        .ends_ns = at_ns + span_ns(now->exposure_us),
        .counter = camera->set.counter,
        .width = now->width,
        .height = now->height,
        .offset_x = now->offset_x,
        .offset_y = now->offset_y,
        .pixel_format = now->pixel_format,
        .exposure_us = now->exposure_us,
    };
    plan_frame(camera, shot);
    const bool repeat = scene_mishap(&camera->scene, MISHAP_REPEAT, NULL);
    const bool freeze = scene_mishap(&camera->scene, MISHAP_FREEZE, NULL);
    if (camera->last && (repeat || scene_take(&head->repeat_next)) && show_again(camera, shot, false)) {
        /* its number was there before */
    } else {
        camera->frame++;
        if (!(freeze || scene_flag(&head->freeze)) || !show_again(camera, shot, true))
            render(camera, shot, delay_us);
    }
    camera->exposing = camera->last = shot;
    camera->burst_at++;
    camera->stream.started++;
    scene_count(&head->trigger_seen);
    pthread_cond_broadcast(&camera->changed);
}

/* ---- triggers ---- */

static bool streaming(struct camera *camera)
{
    return camera->acquiring && camera->stream.grabbing && !camera_lost(camera);
}

static void miss(struct camera *camera, uint32_t source)
{
    camera->missed++;
    scene_count(&camera->scene.head->missed);
    if (source == TRIGGER_SOURCE_LINE0)
        scene_count(&camera->scene.head->line0_missed);
    if (camera->set.now.counter_source == COUNTER_EVENT_SOURCE_FRAME_TRIGGER_MISSED)
        camera->set.counter++;
}

/* True where TriggerOverlap lets a trigger in now. */
static bool lets_in(const struct camera *camera, uint32_t overlap)
{
    switch (overlap) {
    case TRIGGER_OVERLAP_READ_OUT: return !camera->waiting && !camera->exposing;
    case TRIGGER_OVERLAP_PREVIOUS_FRAME: return !camera->waiting;
    default: return !camera->waiting && !camera->exposing && !camera->reading;
    }
}

/* Begin now, or as soon as the delay is over and the sensor is free. */
static void take_trigger(struct camera *camera, double delay_us)
{
    if (!camera->exposing && delay_us <= 0) {
        expose(camera, 0.0);
        return;
    }
    camera->waiting = true;
    camera->start_delay_us = delay_us;
    camera->start_ns = monotonic_ns() + span_ns(delay_us);
    pthread_cond_broadcast(&camera->changed);
}

static void trigger(struct camera *camera, uint32_t selector, uint32_t source)
{
    const struct settings *now = &camera->set.now;
    const struct trigger_setting *mine = &now->trigger[selector];
    const bool bursts = now->trigger[TRIGGER_SELECTOR_FRAME_BURST_START].mode == TRIGGER_MODE_ON;
    const bool single = now->trigger[TRIGGER_SELECTOR_FRAME_START].mode == TRIGGER_MODE_ON;
    if (mine->mode != TRIGGER_MODE_ON || mine->source != source || !streaming(camera))
        return;
    if (now->counter_source == COUNTER_EVENT_SOURCE_FRAME_TRIGGER)
        camera->set.counter++;
    advance(camera); /* what has ended by now is no obstacle */
    if (selector == TRIGGER_SELECTOR_FRAME_BURST_START) {
        if (camera->burst_left || !lets_in(camera, mine->overlap)) {
            miss(camera, source);
            return;
        }
        camera->burst_left = now->burst_frames;
        camera->burst_at = 0;
        if (single)
            return; /* each frame waits for a trigger of its own */
    } else if ((bursts && !camera->burst_left) || !lets_in(camera, mine->overlap)) {
        miss(camera, source);
        return;
    }
    camera->burst_left -= camera->burst_left > 0;
    take_trigger(camera, mine->delay_us);
}

void software_trigger(struct camera *camera)
{
    trigger(camera, camera->set.now.trigger_selector, TRIGGER_SOURCE_SOFTWARE);
}

void edge(struct camera *camera, uint32_t line, bool rising)
{
    const struct settings *now = &camera->set.now;
    if (now->counter_source == COUNTER_EVENT_SOURCE_LINE0 + line &&
        rising == (now->counter_activation == COUNTER_EVENT_ACTIVATION_RISING_EDGE))
        camera->set.counter++;
    /* a burst is begun before a frame of it can be */
    for (uint32_t selector = TRIGGER_SELECTOR_FRAME_BURST_START + 1; selector-- > 0;)
        if (rising == (now->trigger[selector].activation == TRIGGER_ACTIVATION_RISING_EDGE))
            trigger(camera, selector, TRIGGER_SOURCE_LINE0 + line);
}

/* ---- what goes on by itself ---- */

/* When the next frame begins that needs no trigger of its own; NEVER: none does. */
static uint64_t unasked_at(struct camera *camera, uint64_t now_ns)
{
    const struct settings *now = &camera->set.now;
    const bool bursts = now->trigger[TRIGGER_SELECTOR_FRAME_BURST_START].mode == TRIGGER_MODE_ON;
    const bool single = now->trigger[TRIGGER_SELECTOR_FRAME_START].mode == TRIGGER_MODE_ON;
    if (camera->exposing || camera->reading || camera->waiting)
        return NEVER;
    if (camera->unwanted)
        return now_ns;
    if (single || (bursts && !camera->burst_left))
        return NEVER;
    const bool limited = now->frame_rate_enable && !bursts;
    if (!camera->is_due) { /* the period counts from where the frame before was due */
        const uint64_t period_ns = limited ? (uint64_t)((double)SECOND_NS / now->frame_rate_hz) : 0;
        camera->due_ns = camera->due_ns + period_ns < now_ns ? now_ns + TURN_NS : camera->due_ns + period_ns;
        camera->is_due = true;
    }
    return camera->due_ns;
}

static uint64_t sooner(uint64_t one, uint64_t other)
{
    return one < other ? one : other;
}

uint64_t advance(struct camera *camera)
{
    if (!streaming(camera)) {
        camera->exposing = camera->reading = NULL; /* nothing of it comes any more */
        camera->waiting = false;
        camera->burst_left = camera->unwanted = 0;
        return monotonic_ns() + LOOK_NS;
    }
    for (;;) {
        const uint64_t now_ns = monotonic_ns();
        uint64_t next_ns = now_ns + LOOK_NS;
        if (camera->reading && now_ns >= camera->reading->out_ns) {
            struct shot *shot = camera->reading;
            camera->reading = NULL;
            deliver(camera, shot);
            camera->unwanted += shot->followers;
            continue;
        }
        if (camera->exposing && now_ns >= camera->exposing->ends_ns && !camera->reading) {
            camera->reading = camera->exposing;
            camera->exposing = NULL;
            camera->reading->out_ns = camera->reading->ends_ns + span_ns(camera->set.now.readout_us) +
                                      camera->reading->late_us * 1000ull;
            continue;
        }
        if (camera->waiting && !camera->exposing && now_ns >= camera->start_ns) {
            camera->waiting = false;
            expose(camera, camera->start_delay_us);
            continue;
        }
        const uint64_t unasked_ns = unasked_at(camera, now_ns);
        if (unasked_ns <= now_ns) {
            camera->is_due = false;
            if (camera->unwanted)
                camera->unwanted--;
            else
                camera->burst_left -= camera->burst_left > 0;
            expose(camera, 0.0);
            continue;
        }
        next_ns = sooner(next_ns, unasked_ns);
        if (camera->reading)
            next_ns = sooner(next_ns, camera->reading->out_ns);
        if (camera->exposing && !camera->reading)
            next_ns = sooner(next_ns, camera->exposing->ends_ns);
        if (camera->waiting && !camera->exposing)
            next_ns = sooner(next_ns, camera->start_ns);
        return next_ns;
    }
}
