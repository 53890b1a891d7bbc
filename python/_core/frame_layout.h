/* frame_layout.h - the seam to CPython's frames: one file a layout, chosen here.
 *
 * A layout defines krs_frame and
 *     krs_frame_top(thread)      the innermost frame of a thread, or NULL
 *     krs_frame_back(frame)      the frame that called it, or NULL
 *     krs_frame_code(frame)      its code object, or NULL for a frame without Python
 * code krs_frame_slots(frame)     its locals, cells and free variables, as one array
 *     krs_frame_slot_count(code) how many of them
 *     krs_frame_slot_name(code, slot)  borrowed str
 *     krs_frame_line(frame, code)
 *     krs_frame_stack(frame, code, values)  its value stack while it waits for a call
 *                                of a Python function, and how many; 0 if it is not
 * told krs_frame_is_suspended(object)  1 for the frame object of a generator that does
 *                                not run, where that is what holds its variables
 *     krs_frame_caller_keeps_arguments  1 where a call leaves its arguments on the
 *                                caller's value stack too, which nobody can see
 * and reads without making frame objects or touching f_locals, which would add a
 * holder up to Python 3.12. KRS_FRAMES_READABLE is 0 for a layout not known here. */
#ifndef KRS_PY_FRAME_LAYOUT_H
#define KRS_PY_FRAME_LAYOUT_H

#include "python.h"

#if PY_VERSION_HEX < 0x030B0000
#include "frame_layout_310.h"
#elif PY_VERSION_HEX < 0x030D0000
#include "frame_layout_311.h"
#elif PY_VERSION_HEX < 0x030E0000
#include "frame_layout_313.h"
#else
#define KRS_FRAMES_READABLE 0
#endif

#endif
