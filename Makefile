# `make demo` and `make test` do all set-up: each makes .venv if it is missing and installs into it,
# again only when pyproject.toml changes. PYTHON is the interpreter that makes .venv (3.10 or newer).

PYTHON ?= python3
VENV ?= .venv
PHOTO ?=
OUT ?= demo_output

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
ASTRONAUT := $(OUT)/astronaut.png
# Under site-packages; whose they are: NOTICE.
GALLERY := skimage/data/astronaut.png skimage/data/camera.png skimage/data/chelsea.png \
	skimage/data/rocket.jpg matplotlib/mpl-data/sample_data/grace_hopper.jpg

.PHONY: help demo gallery test open-body reproduce-small
.DELETE_ON_ERROR:

help:
	@echo "make demo               predict on a photograph, results in $(OUT)/"
	@echo "make demo PHOTO=me.jpg  the same on your own"
	@echo "make gallery            many photographs on one sheet (docs/gallery.md), or PHOTO=folder/"
	@echo "make test               lint, types, tests"
	@echo "make reproduce-small    train everything from scratch, briefly, and compare the results"
	@echo "make open-body          rebuild the open body and compare it with the shipped one"

demo: $(VENV)/installed-demo
	@mkdir -p "$(OUT)"
ifeq ($(strip $(PHOTO)),)
	@echo "== Photograph: the astronaut that scikit-image ships -> $(ASTRONAUT)"
	@$(BIN)/python -c "from PIL import Image; from skimage.data import astronaut; \
	Image.fromarray(astronaut()).save('$(ASTRONAUT)')"
	@echo "== dimr predict $(ASTRONAUT) -o $(OUT)"
	@$(BIN)/dimr predict "$(ASTRONAUT)" -o "$(OUT)"
else
	@echo "== dimr predict $(PHOTO) -o $(OUT)"
	@$(BIN)/dimr predict "$(PHOTO)" -o "$(OUT)"
endif

# "-": predict fails when nobody is found on a picture; in a gallery that is a row like any other.
gallery: $(VENV)/installed-demo
ifeq ($(strip $(PHOTO)),)
	@mkdir -p "$(OUT)/photos"
	@site=$$($(BIN)/python -c "import sysconfig; print(sysconfig.get_path('platlib'))") && \
	for photo in $(GALLERY); do cp "$$site/$$photo" "$(OUT)/photos/" || exit 1; done
	-$(BIN)/dimr predict "$(OUT)/photos" -o "$(OUT)/gallery" --sheet docs/images/gallery.jpg
else
	-$(BIN)/dimr predict "$(PHOTO)" -o "$(OUT)/gallery" --sheet "$(OUT)/gallery.jpg"
endif

test: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/python -m pytest -n auto

reproduce-small: $(VENV)/installed-demo
	$(BIN)/python scripts/reproduce_small.py --out build/small

open-body: $(VENV)/installed-body
	$(BIN)/python scripts/build_open_body.py --check src/dimr/assets/open_body.npz

# Extras of pyproject.toml that each stamp stands for.
$(VENV)/installed-demo: EXTRAS := demo
$(VENV)/installed-dev: EXTRAS := dev,paper
$(VENV)/installed-body: EXTRAS := body

$(VENV)/installed-%: $(VENV)/pyvenv.cfg pyproject.toml
	@echo "== Installing dimr [$(EXTRAS)] into $(VENV); PyTorch is large, this can take minutes"
	@$(PIP) install -e ".[$(EXTRAS)]"
	@touch $@

$(VENV)/pyvenv.cfg:
	@$(PYTHON) -c "import sys; v = sys.version_info; v >= (3, 10) or sys.exit( \
	'dimr needs Python 3.10 or newer, $(PYTHON) is %d.%d: make PYTHON=/path/to/python' % v[:2])"
	@echo "== Making $(VENV) with $(PYTHON)"
	@$(PYTHON) -m venv $(VENV) || { rm -f $@; \
	echo "$(PYTHON) cannot make environments: install its venv module (python3-venv)"; exit 1; }
