/* Triggers, and when exposures begin and end.
 *
 * An exposure is read out, which takes SimReadoutTime, and then delivered. Whether a trigger is taken meanwhile is what
 * TriggerOverlap says; one that is not is missed, as in life. All of it under the camera's lock.
 */
#include "sensor.h"

#include "genapi.h"

#define LOOK_NS 20000000ull /* how often an idle camera looks whether it was unplugged */
#define NEVER UINT64_MAX
#define TURN_NS 50000u /* behind its rate: no burst to catch up, and the consumer gets a turn at the lock */

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

/* True where TriggerOverlap, and the camera's memory, let a trigger in now. */
static bool lets_in(const struct camera *camera, uint32_t overlap)
{
    if (!has_memory(camera))
        return false;
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
    if (camera->exposing || camera->reading || camera->waiting || !has_memory(camera))
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

static void send_first(struct camera *camera)
{
    struct shot *shot = camera->sending[0];
    camera->sending_count--;
    for (unsigned i = 0; i < camera->sending_count; i++)
        camera->sending[i] = camera->sending[i + 1];
    deliver(camera, shot);
    camera->unwanted += shot->followers;
}

uint64_t advance(struct camera *camera)
{
    if (!streaming(camera)) {
        camera->exposing = camera->reading = NULL; /* nothing of it comes any more */
        camera->sending_count = 0;
        camera->waiting = false;
        camera->burst_left = camera->unwanted = 0;
        return monotonic_ns() + LOOK_NS;
    }
    for (;;) {
        const uint64_t now_ns = monotonic_ns();
        uint64_t next_ns = now_ns + LOOK_NS;
        if (camera->sending_count && now_ns >= camera->sending[0]->sent_ns) {
            send_first(camera);
            continue;
        }
        if (camera->reading && now_ns >= camera->reading->out_ns) {
            struct shot *shot = camera->reading;
            camera->reading = NULL;
            shot->sent_ns = shot->out_ns + shot->held_us * 1000ull;
            camera->sending[camera->sending_count++] = shot;
            continue;
        }
        if (camera->exposing && now_ns >= camera->exposing->ends_ns && !camera->reading) {
            camera->reading = camera->exposing;
            camera->exposing = NULL;
            camera->reading->out_ns = camera->reading->ends_ns + span_ns(camera->set.now.readout_us) +
                                      camera->reading->late_us * 1000ull;
            continue;
        }
        if (camera->waiting && !camera->exposing && has_memory(camera) && now_ns >= camera->start_ns) {
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
        if (camera->sending_count)
            next_ns = sooner(next_ns, camera->sending[0]->sent_ns);
        if (camera->reading)
            next_ns = sooner(next_ns, camera->reading->out_ns);
        if (camera->exposing && !camera->reading)
            next_ns = sooner(next_ns, camera->exposing->ends_ns);
        if (camera->waiting && !camera->exposing && has_memory(camera))
            next_ns = sooner(next_ns, camera->start_ns);
        return next_ns;
    }
}
