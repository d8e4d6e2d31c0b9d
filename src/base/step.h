/* base/step: what a call that must not wait answers. Nobody who is told STEP_WAIT is called back:
 * he calls again, and finds out from elsewhere when. */
#ifndef WALFERRY_BASE_STEP_H
#define WALFERRY_BASE_STEP_H

enum step {
    STEP_FAILED = -1, /* *err says why */
    STEP_WAIT = 0,    /* nothing now; nothing is lost by calling again */
    STEP_DONE = 1
};

#endif
