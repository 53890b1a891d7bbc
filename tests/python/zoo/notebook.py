"""A script of its own: cells run in a real IPython shell, then keraser is asked.

    python notebook.py

prints one line of JSON a recipe: what `keraser.why` says of the model first, where
else, and whether `cut()` let it go.
"""

import gc
import json

from IPython.core.interactiveshell import InteractiveShell

SETUP = """
import gc, weakref, keras, keraser, numpy as np, tensorflow as tf
X, Y = np.ones((32, 8), "f4"), np.ones((32, 1), "f4")
refs, errs, fns = [], [], []
def net():
    dense = [keras.layers.Dense(4), keras.layers.Dense(1)]
    model = keras.Sequential([keras.Input((8,)), *dense])
    model.compile("adam", "mse")
    refs.append(weakref.ref(model))
    return model
callbacks = [keras.callbacks.EarlyStopping("loss")];
"""

#: Recipe -> cells, run in this order.
RECIPES = {
    "nb_out_cache": ["model = net()\nmodel", "del model"],
    "nb_out_history": ["model = net()\nmodel.fit(X, Y, verbose=0)", "del model"],
    "nb_numbered": ["model_1 = net();"],
    "nb_errors_list": [
        "def go():\n    model = net()\n    1/0\n"
        "try:\n    go()\nexcept Exception as e:\n    errs.append(e)"
    ],
    "nb_last_traceback": ["def go():\n    model = net()\n    1/0\ngo()"],
    "nb_default_arg": [
        "model = net()\n"
        "def score(x, net=model):\n    return net(x)\nfns.append(score);",
        "def score(x, net=model):\n    return net(x)\n",
        "del model, score",
    ],
    "nb_shared_callbacks": [
        "model = net()\nmodel.fit(X, Y, verbose=0, callbacks=callbacks);",
        "del model",
    ],
    "nb_figure": [
        "import matplotlib; matplotlib.use('Agg')\nimport matplotlib.pyplot as plt\n"
        "fig = plt.figure()\n"
        "def hook(model):\n"
        "    fig.canvas.mpl_connect('button_press_event', lambda event: model(event))\n"
        "hook(net())\ndel fig",
    ],
    "nb_report_kept": ["model = net()", "keraser.why(model)", "del model"],
}


def run(shell, code):
    result = shell.run_cell(code, store_history=True)
    if result.error_before_exec is not None:
        raise result.error_before_exec


def report(shell, name):
    for code in RECIPES[name]:
        run(shell, code)
    gc.collect()
    names = shell.user_ns
    if names["refs"][-1]() is None:
        return {"recipe": name, "path": None, "also": [], "gone": True}
    run(shell, "found = keraser.why(refs[-1]());")
    found = names["found"]
    cut = found.cut()
    gc.collect()
    return {
        "recipe": name,
        "count": shell.execution_count,
        "path": found[0].path,
        "also": found[0].also,
        "fix": found[0].fix,
        "holders": [str(holder) for holder in found],
        "cut": list(cut.done),
        "left": list(cut.left),
        "gone": names["refs"][-1]() is None,
    }


def main():
    shell = InteractiveShell.instance()
    run(shell, SETUP)
    for name in RECIPES:
        print("JSON", json.dumps(report(shell, name)), flush=True)


if __name__ == "__main__":
    main()
