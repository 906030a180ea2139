/* One exposure: what the world has planned for it, how bright it is, its pixels.
 *
 * They are drawn when it starts, so what the world shows later cannot get into it. All of it under the camera's lock.
 */
#include "sensor.h"

#include "genapi.h"
#include "pixels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

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
    camera->sending_count = 0;
    camera->waiting = false;
    camera->burst_left = camera->burst_at = camera->unwanted = 0;
    camera->due_ns = 0;
    camera->is_due = false;
}

bool has_memory(const struct camera *camera)
{
    return camera->sending_count + (camera->reading != NULL) < SHOTS;
}

static bool is_used(const struct camera *camera, const struct shot *shot)
{
    for (unsigned i = 0; i < camera->sending_count; i++)
        if (camera->sending[i] == shot)
            return true;
    return shot == camera->exposing || shot == camera->reading;
}

/* A place that is not in use, and if possible not the last picture's. There is one: has_memory was asked. */
static struct shot *free_shot(struct camera *camera)
{
    struct shot *found = NULL;
    for (unsigned i = 0; i < SHOTS; i++) {
        struct shot *shot = &camera->shots[i];
        if (!is_used(camera, shot) && (!found || found == camera->last))
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

/* ExposureAuto and GainAuto, Once: each frame a step towards a middling level, then off; at once where the world says
 * that exposure and gain change nothing. */
static void step_automatic(struct camera *camera, double mean)
{
    struct settings *now = &camera->set.now;
    const double wanted = AUTO_LEVEL / fmax(mean, 1.0);
    const bool there = fabs(wanted - 1.0) <= AUTO_SLACK || ++camera->auto_tries > AUTO_TRIES ||
                       camera->scene.head->reference_us <= 0;
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
    if (scene_mishap(scene, MISHAP_HELD, &value))
        shot->held_us = (uint32_t)value;
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

void expose(struct camera *camera, double delay_us)
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
