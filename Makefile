# `make help` lists the targets: a target's text is the comment behind its ##.
PYTHON ?= python3
VENV := .venv
CLIENTS := .venv-clients
RUN := $(abspath $(VENV))/bin/python
B ?= hippocampus_mr_segmentation

.DEFAULT_GOAL := help
.PHONY: help setup demo bundle test test-slow test-clients configs check format bench benchmarks bench-gpu compare-networks reproduce-family reproduce-multiresunet reproduce-nodeo reproduce-brains reproduce-hypermorph learning-curve export zoo zoo-index test-archives clean

help:  ## Show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## */\t/' | expand -t 26

setup: $(VENV)/.installed  ## Make .venv, install the pinned dependencies and this checkout

$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; name one with make PYTHON=...")'
	@test -x $(RUN) || $(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@rm -rf build *.egg-info
	@touch $@

demo: setup  ## Run a bundle on its samples and say where the pictures are
	@cd bundles/$(B) && $(RUN) -W ignore -m monai.bundle run --config_file configs/inference.json
	@echo "pictures: $(abspath bundles/$(B)/outputs/overlays)"

bundle: demo  ## The same for the bundle B=name

test: setup  ## Run the tests
	$(RUN) -m pytest -n 2 -m "not slow and not client"

test-slow: setup  ## Run the tests that take minutes, too
	$(RUN) -m pytest

# docs/clients.md lists them. They want other versions than constraints.txt has; torch is that of the cards.
test-clients:  ## Install other projects' programs, which are large, into .venv-clients, and try the bundles with them
	@test -x $(CLIENTS)/bin/python || $(PYTHON) -m venv $(CLIENTS)
	$(CLIENTS)/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[dev,clients]' \
	    $$(grep '^torch=' constraints.txt)
	@rm -rf build *.egg-info
	$(CLIENTS)/bin/python -m pytest -m client -rs

configs: setup  ## Write what is generated: configs from recipes, versions, what cards repeat, the README's table
	$(RUN) -m shared.zoo.generated

check: setup  ## Check format, lint, types, and that what is generated is up to date
	$(RUN) -m ruff format --check .
	$(RUN) -m ruff check .
	$(RUN) -m mypy
	$(RUN) -m shared.zoo.generated --check

format: setup  ## Format the code and mend what the linter can
	$(RUN) -m ruff format .
	$(RUN) -m ruff check --fix .

bench: setup  ## Measure the bundle B=name beside its peers, as ratios, in one run: time, rate, memory, start-up
	$(RUN) -W ignore scripts/bench.py $(B) $(ARGS)

# --skip and --only leave out or choose among start, latency, throughput, commands and volume.
benchmarks: setup  ## An hour: measure every bundle so, and whole commands, for docs/benchmarks.md; ARGS="--skip commands"
	$(RUN) -W ignore scripts/bench.py --report docs --without torch.compile --seconds 4 --limit 90 --cases 12 $(ARGS)

bench-gpu: setup  ## 8 minutes on a GPU: the same there; without one it is tried on the processor, into dist/
	PYTHON=$(RUN) scripts/bench_gpu.sh $(ARGS)

compare-networks: setup  ## An hour or two: the networks that none beats on score and time, for B=name on D=folder
	$(RUN) -W ignore scripts/compare_networks.py $(B) --dataset_dir $(D) $(ARGS)

# All networks that --network chooses among, under one protocol, into one report; sections are those of MultiResUNet's study.
FAMILY = $(RUN) -W ignore scripts/compare_networks.py --family --output_dir outputs/family
reproduce-family: setup  ## Hours: U-Net and its relatives on D=folder of hippocampi and E=folder of sections
	$(FAMILY) hippocampus_mr_segmentation --dataset_dir $(D) $(ARGS)
	$(FAMILY) membrane_em_segmentation --dataset_dir $(or $(E),data/em_membrane) $(ARGS)

# Without D the report goes into the bundle's docs; a study of one's own data stays in --output_dir.
STUDY = $(if $(D),--dataset_dir $(D),--docs_dir bundles/membrane_em_segmentation/docs) $(ARGS)
reproduce-multiresunet: setup  ## Hours: test the MultiResUNet paper's claims on data/em_membrane, or your D=folder
	$(RUN) -W ignore scripts/reproduce_multiresunet.py $(STUDY)

reproduce-nodeo: setup  ## Hours: test the NODEO paper's claims on data/oasis2d, or your D=folder
	$(RUN) -W ignore scripts/reproduce_nodeo.py $(if $(D),--dataset_dir $(D)) $(ARGS)

# ARGS="--heads 0" takes all heads; ARGS="--label_maps DIR" makes the learning curve, too.
BRAINS = --docs_dir bundles/brain_anycontrast_segmentation/docs
reproduce-brains: setup  ## An hour: how robust the segmentation of heads is, on labelled heads NAME_CONTRAST in D=folder
	$(RUN) -W ignore scripts/reproduce_brains.py --dataset_dir $(D) $(BRAINS) $(ARGS)

# Without D the reports go into the bundle's docs; those of one's own data stay in --output_dir.
SLICES = $(if $(D),--dataset_dir $(D),--docs_dir bundles/brain_mr_voxelmorph_registration/docs) $(ARGS)
reproduce-hypermorph: setup  ## An hour: one network of any regularity against seven of one each, on data/oasis2d or D=folder
	$(RUN) -W ignore scripts/reproduce_hypermorph.py $(SLICES)

learning-curve: setup  ## An hour or two: registration learned from 10 to all subjects of data/oasis2d, or your D=folder
	$(RUN) -W ignore scripts/learning_curve.py $(SLICES)

export: setup  ## Export the bundle B=name to ONNX; ARGS="--precision fp16"
	$(RUN) -W ignore scripts/export_onnx.py $(B) $(ARGS)

zoo: setup  ## Pack and index every bundle, check each archive, make the gallery, all in dist/
	$(RUN) scripts/zoo.py index --output dist/model_zoo.json
	@set -e; for archive in dist/*.zip; do $(RUN) scripts/zoo.py verify $$archive; done
	$(RUN) scripts/zoo.py gallery

zoo-index: setup  ## Pack every bundle and write model_zoo.json; commit it with what it is of. ARGS="--base_url URL"
	$(RUN) scripts/zoo.py index $(ARGS)

test-archives: setup  ## Minutes: every archive, alone, through inference, training and evaluation
	$(RUN) -m pytest -n 2 tests/zoo/test_archives.py

clean:  ## Remove .venv, .venv-clients and what the tools left behind
	rm -rf $(VENV) $(CLIENTS) .pytest_cache .ruff_cache .mypy_cache
