#include "outside/layout.h"

#include <stddef.h>

#include "outside/layout_310.h"
#include "outside/layout_311.h"
#include "outside/layout_312.h"
#include "outside/layout_313.h"

const krs__layout *krs__layout_of(unsigned minor) {
    static const krs__layout *const layouts[] = {&layout_310, &layout_311, &layout_312,
                                                 &layout_313};
    for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++)
        if (layouts[i]->minor == minor)
            return layouts[i];
    return NULL;
}
