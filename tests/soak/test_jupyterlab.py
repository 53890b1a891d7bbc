"""keraser.widget() in JupyterLab and Notebook 7, looked at by a Chromium.

KERASER_SCREENSHOTS=docs/images in the environment writes the pictures of the docs.
"""

import json
import os
import shutil
from pathlib import Path

import psutil
import pytest
from notebook_page import Book, Server, chromium
from playwright.sync_api import sync_playwright

pytestmark = pytest.mark.own_process
EXAMPLE = Path(__file__).parents[2] / "examples" / "notebook.ipynb"
MIB = 2**20
IMPORT, BUILD, WIDGET, MODELS, FIT, USE = range(6)  # code cells of the example
LARGE = (64 * 2048 + 2048 + 2048 * 2048 + 2048 + 2048 + 1) * 4  # its weights, bytes


@pytest.fixture(scope="module")
def browser():
    path = chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-gpu"]
        )
        yield browser
        browser.close()


@pytest.fixture(params=["lab", "notebooks"])
def server(request, tmp_path):
    server = make_server(tmp_path, request.param)
    yield server
    server.stop()


@pytest.fixture
def lab(tmp_path):
    server = make_server(tmp_path, "lab")
    yield server
    server.stop()


def make_server(folder, front_end):
    for name in ("one.ipynb", "two.ipynb"):
        shutil.copy(EXAMPLE, folder / name)
    return Server(folder, front_end)


@pytest.fixture
def page(browser):
    page = browser.new_context(viewport={"width": 1280, "height": 1400}).new_page()
    yield page
    page.context.close()


def kernels(server):
    """The kernels of a server, the youngest last."""
    found = psutil.Process(server.process.pid).children(recursive=True)
    return [one for one in found if "ipykernel_launcher" in " ".join(one.cmdline())]


def run_to_the_widget(book):
    for cell in (IMPORT, BUILD, WIDGET, MODELS, FIT):
        book.run(cell)
    book.await_models("small", "medium", "large")


def test_the_example_shows_three_models_and_clears_one(server, page):
    """The kernel's resident set falls, and the next cell that uses it says so."""
    book = Book(page, server.url("one.ipynb"))
    run_to_the_widget(book)
    (kernel,) = kernels(server)
    fat = kernel.memory_info().rss
    book.button("clear", "large").click()
    book.await_models("small", "medium")
    answer = book.widget.locator(".keraser-answer").inner_text()
    assert answer.startswith("Sequential 'large' cleared: "), answer
    thin = kernel.memory_info().rss
    print(f"{server.front_end}: {fat / MIB:.0f} MiB, then {thin / MIB:.0f}")
    assert thin < fat - 2.5 * LARGE  # weights and two slots, less what is new
    said = book.run(USE, error=True)
    assert "ClearedModelError: model 'large' was cleared at the memory widget" in said
    book.button("clear", "small").click()  # the others are as they were
    book.await_models("medium")
    assert not book.errors


def test_why_park_and_back_by_the_keyboard(lab, page):
    book = Book(page, lab.url("one.ipynb"))
    run_to_the_widget(book)
    why = book.button("why", "medium")
    why.focus()
    page.keyboard.press("Enter")
    holders = book.widget.locator(".keraser-holders:visible")
    holders.locator("li").first.wait_for()
    assert 'variable "medium"' in holders.inner_text()
    assert "del medium" in holders.locator("code").first.inner_text()
    assert why.get_attribute("aria-expanded") == "true"
    page.keyboard.press("Enter")
    assert holders.count() == 0
    page.keyboard.press("Tab")  # to the button beside it
    page.keyboard.press("Space")
    book.button("unpark", "medium").wait_for()
    book.write(USE, "medium.count_params()")
    assert "ParkedModelError" in book.run(USE, error=True)
    book.button("unpark", "medium").click()
    book.button("park", "medium").wait_for()
    book.run(USE)
    assert not book.errors


def test_names_of_models_are_text(lab, page):
    """Keras allows nearly every name, and a model that somebody sends has one."""
    name = "<img src=x onerror=document.title='owned'>\u202e"
    book = Book(page, lab.url("one.ipynb"))
    run_to_the_widget(book)
    book.write(USE, f"evil = build('evil', 8); evil.name = {name!r}")
    book.run(USE)
    book.await_models("small", "medium", "large", name)
    assert book.widget.locator("img").count() == 0
    assert "owned" not in page.title()


def test_clearing_the_output_ends_the_widget_in_the_kernel(lab, page):
    book = Book(page, lab.url("one.ipynb"))
    run_to_the_widget(book)
    count = "print(len(__import__('keraser.memory_widget').memory_widget._open))"
    book.run(WIDGET)  # again: the one before has ended
    book.await_models("small", "medium", "large")
    book.write(USE, count)
    book.run(USE)
    assert book.output(USE).strip() == "1"
    menu(page, "Edit", "Clear Cell Output", book.cell(WIDGET))
    book.widget.wait_for(state="detached")
    page.wait_for_timeout(2000)
    book.run(USE)
    assert book.output(USE).strip() == "0"


def test_a_reload_of_the_page_brings_the_widget_back(server, page):
    book = Book(page, server.url("one.ipynb"))
    run_to_the_widget(book)
    page.keyboard.press("Control+S")
    page.wait_for_timeout(2000)
    page.reload()
    book.ready()
    book.cell(WIDGET).scroll_into_view_if_needed()
    book.await_models("small", "medium", "large")
    marks = book.widget.locator(".keraser-mark").count()
    assert marks >= 3  # the curve of the cells before
    book.button("clear", "small").click()
    book.await_models("medium", "large")


def test_after_a_restart_the_cell_makes_a_new_one(lab, page):
    book = Book(page, lab.url("one.ipynb"))
    run_to_the_widget(book)
    (before,) = kernels(lab)
    menu(page, "Kernel", "Restart Kernel…")
    page.locator(".jp-Dialog button.jp-mod-accept").click()
    before.wait(60)
    page.wait_for_timeout(2000)
    run_to_the_widget(book)
    assert book.widget.count() == 1
    book.button("clear", "small").click()
    book.await_models("medium", "large")


def test_two_notebooks_show_each_its_own_kernel(lab, browser, page):
    first = Book(page, lab.url("one.ipynb"))
    run_to_the_widget(first)
    context = browser.new_context(viewport={"width": 1280, "height": 1400})
    second = Book(context.new_page(), f"{lab.address}/lab/workspaces/b/tree/two.ipynb")
    run_to_the_widget(second)
    second.button("clear", "large").click()
    second.await_models("small", "medium")
    first.page.wait_for_timeout(5000)  # more than two questions
    first.await_models("small", "medium", "large")
    assert len(kernels(lab)) == 2
    context.close()


def test_the_curve_moves_while_a_cell_runs_and_a_button_waits(lab, page):
    """JupyterLab sends messages of widgets to a thread beside the cell's."""
    book = Book(page, lab.url("one.ipynb"))
    run_to_the_widget(book)
    book.write(USE, "import time\nbig = np.ones(200 << 20, 'u1'); time.sleep(12)")
    before = book.widget.locator(".keraser-figures").inner_text()
    book.start(USE)
    figures = book.widget.locator(".keraser-figures", has_text="a cell is running")
    figures.wait_for()
    assert figures.inner_text() != before
    book.button("clear", "small").click()
    page.wait_for_timeout(1000)
    assert "small" in book.models()
    book.await_models("medium", "large")


@pytest.mark.skipif("KERASER_SCREENSHOTS" not in os.environ, reason="asked for by it")
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_pictures_for_the_docs(browser, tmp_path, theme, request):
    if theme == "dark":
        settings = tmp_path / "settings/@jupyterlab/apputils-extension"
        settings.mkdir(parents=True)
        dark = json.dumps({"theme": "JupyterLab Dark"})
        (settings / "themes.jupyterlab-settings").write_text(dark)
    server = make_server(tmp_path, "lab")
    request.addfinalizer(server.stop)
    page = browser.new_page(viewport={"width": 1280, "height": 1500})
    book = Book(page, server.url("one.ipynb"))
    run_to_the_widget(book)
    book.run(FIT)
    book.button("why", "medium").click()
    book.widget.locator(".keraser-holders:visible li").first.wait_for()
    book.button("clear", "large").click()
    book.await_models("small", "medium")
    page.mouse.move(5, 5)
    picture = Path(os.environ["KERASER_SCREENSHOTS"]) / f"widget-{theme}.png"
    book.widget.screenshot(path=picture)
    assert picture.stat().st_size < 150_000


def menu(page, name, item, cell=None):
    """Chooses an item of a menu, for a cell if one is given."""
    if cell is not None:
        cell.locator(".jp-InputPrompt").first.click()
    page.locator(".lm-MenuBar-item", has_text=name).first.click()
    page.locator(".lm-Menu-item", has_text=item).first.click()
