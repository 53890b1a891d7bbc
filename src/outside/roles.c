/* What a class is to Keras: by module and name of one that it comes from. Keras 3 has
 * its classes in keras.src; Keras 2 in keras.engine, keras.src.engine or tf_keras. */
#include <string.h>

#include "outside/reading.h"

enum { MOST_BASES = 64 };

static const struct {
    const char *module, *name;
    krs__role role;
} classes[] = {
    {"keras.src.models.model", "Model", KRS__ROLE_MODEL},
    {"tf_keras.src.engine.training", "Model", KRS__ROLE_MODEL},
    {"keras.src.engine.training", "Model", KRS__ROLE_MODEL},
    {"keras.engine.training", "Model", KRS__ROLE_MODEL},
    {"keras.src.layers.layer", "Layer", KRS__ROLE_LAYER},
    {"tf_keras.src.engine.base_layer", "Layer", KRS__ROLE_LAYER},
    {"keras.src.engine.base_layer", "Layer", KRS__ROLE_LAYER},
    {"keras.engine.base_layer", "Layer", KRS__ROLE_LAYER},
    {"keras.src.optimizers.base_optimizer", "BaseOptimizer", KRS__ROLE_OPTIMIZER},
    {"tf_keras.src.optimizers.optimizer", "_BaseOptimizer", KRS__ROLE_OPTIMIZER},
    {"keras.src.optimizers.optimizer", "_BaseOptimizer", KRS__ROLE_OPTIMIZER},
    {"keras.src.backend.common.variables", "Variable", KRS__ROLE_VARIABLE},
    {"keras.src.backend.common.variables", "KerasVariable", KRS__ROLE_VARIABLE},
    {"tensorflow.python.ops.resource_variable_ops", "BaseResourceVariable",
     KRS__ROLE_VARIABLE},
};

static krs__role role_of_class(krs__target *target, uint64_t address) {
    char module[KRS__NAME_BYTES], name[KRS__NAME_BYTES];
    const krs__type *type = krs__type_at(target, address);
    if (type == NULL || !(type->flags & KRS__FLAG_HEAP_TYPE) ||
        !krs__type_qualname(target, type, name, sizeof name))
        return KRS__ROLE_NONE;
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
        if (!strcmp(classes[i].name, name) &&
            krs__type_module(target, type, module, sizeof module) &&
            !strcmp(classes[i].module, module))
            return classes[i].role;
    return KRS__ROLE_NONE;
}

krs__role krs__role_of(krs__target *target, krs__type *type) {
    uint64_t count;
    if (type->role != KRS__ROLE_UNASKED)
        return type->role;
    type->role = KRS__ROLE_NONE;
    if (!(type->flags & KRS__FLAG_HEAP_TYPE) ||
        !krs__memory_word(&target->memory, type->mro + KRS__OBJECT_SIZE, &count))
        return type->role;
    for (uint64_t i = 0; i < count && i < MOST_BASES && type->role == KRS__ROLE_NONE;
         i++)
        type->role = role_of_class(
            target,
            krs__memory_pointer(&target->memory, type->mro + KRS__TUPLE_ITEMS + i * 8));
    return type->role;
}

/* ---- names of classes ------------------------------------------------------- */

bool krs__type_module(krs__target *target, const krs__type *type, char *text,
                      size_t room) {
    return type->flags & KRS__FLAG_HEAP_TYPE &&
           krs__text_of(target, krs__dict_value(target, type->dict, "__module__"), text,
                        room);
}

bool krs__type_qualname(krs__target *target, const krs__type *type, char *text,
                        size_t room) {
    return type->flags & KRS__FLAG_HEAP_TYPE &&
           krs__text_of(
               target,
               krs__memory_pointer(&target->memory,
                                   type->address + target->layout.type_qualname),
               text, room);
}

void krs__type_full_name(krs__target *target, const krs__type *type, char *text,
                         size_t room) {
    char module[KRS__NAME_BYTES], name[KRS__NAME_BYTES];
    const bool whole = krs__type_module(target, type, module, sizeof module) &&
                       krs__type_qualname(target, type, name, sizeof name) &&
                       strcmp(module, "builtins") != 0;
    text[0] = '\0';
    if (whole) {
        strncat(text, module, room - 1);
        strncat(text, ".", room - 1 - strlen(text));
        strncat(text, name, room - 1 - strlen(text));
    } else {
        strncat(text, type->name, room - 1);
    }
}
