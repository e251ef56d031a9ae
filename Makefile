# GNU Make 4. Stage targets stand for files: a stage's manifest (a model's config.json) is written last, so a target that
# is there is whole. `make` lists what there is.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules
SHELL = /bin/sh

PYTHON ?= python3
PIP_FLAGS ?=
PYTEST_FLAGS ?=
BENCH_FLAGS ?=
SCORE_FLAGS ?=
PRETRAIN_FLAGS ?=
LADDER_FLAGS ?=
COMPARE_FLAGS ?=
TEACH_FLAGS ?=
VENV = .venv
DATA = data
REPORTS = reports
RECIPES = pipeline/recipes
INPUT =
OUTPUT =
MODEL =
A =
B =
ENCODER = default
TEACHERS =
PROCESSES = 1

SENTIMENT = $(VENV)/bin/sentiment --data-dir "$(DATA)" --reports-dir "$(REPORTS)"
INSTALLED = $(VENV)/.installed
LAUNCHED = $(if $(filter-out 1,$(PROCESSES)),OMP_NUM_THREADS=$${OMP_NUM_THREADS:-1} $(VENV)/bin/torchrun --standalone \
	--nproc-per-node $(call quoted,$(PROCESSES)) --no-python )
BENCH_INSTALLED = $(VENV)/.installed-bench
TORCHTEXT_VENV = .venv-torchtext
TORCHTEXT_INSTALLED = $(TORCHTEXT_VENV)/.installed
TORCHTEXT_PYTHON = $(firstword $(foreach name,python3.12 python3.11,$(if $(shell $(name) -V 2>/dev/null),$(name))) python3)

# ------------------------------------------------------------------------------------------------------- settings
# A setting given on the command line is kept in a file of its own, data/settings/NAME; one left out has the value kept
# there, or else its default. SOURCE, its columns and VECTORS are kept when their stage has succeeded with them, so the
# files say what its result was made from, and the stage runs again where what is wanted differs: a typo costs nothing.
# The environment's variables of the same names are not looked at.

SETTINGS = $(DATA)/settings
COLUMN_NAMES = TEXT_COLUMN LABEL_COLUMN LABEL_POSITIVE
DEFAULT_SOURCE = stanfordnlp/imdb
DEFAULT_VECTORS = glove.6B.100d
DEFAULT_RECIPE = default
DEFAULT_SEED = 1

given = $(filter command,$(origin $1))
quoted = '$(subst ','\'',$1)'
kept = $(shell cat $(call quoted,$(SETTINGS)/$1) 2>/dev/null)
same = $(findstring |$1|,$(findstring |$2|,|$1|))
flag = $(if $2, $1 $(call quoted,$2))
differs = $(if $(call same,$(call kept,$1),$(USED_$1)),,$1)
write = printf '%s\n' $(call quoted,$2) > "$1.partial" && mv "$1.partial" "$1"
keep = mkdir -p "$(SETTINGS)"$(foreach name,$1, && $(call write,$(SETTINGS)/$(name),$(USED_$(name))))
said = $(if $(USED_$1), $1=$(call quoted,$(USED_$1)))

KEPT_SOURCE := $(call kept,SOURCE)
USED_SOURCE := $(or $(if $(call given,SOURCE),$(SOURCE),$(KEPT_SOURCE)),$(DEFAULT_SOURCE))
USED_VECTORS := $(or $(if $(call given,VECTORS),$(VECTORS),$(call kept,VECTORS)),$(DEFAULT_VECTORS))
USED_RECIPE := $(or $(if $(call given,RECIPE),$(RECIPE),$(call kept,RECIPE)),$(DEFAULT_RECIPE))
USED_SEED := $(or $(if $(call given,SEED),$(SEED),$(call kept,SEED)),$(DEFAULT_SEED))

# The columns belong to a source: with another source, those not given go back to being found by their names.
same_source := $(call same,$(KEPT_SOURCE),$(USED_SOURCE))
used_column = $(if $(call given,$1),$($1),$(if $(same_source),$(call kept,$1)))
USED_TEXT_COLUMN := $(call used_column,TEXT_COLUMN)
USED_LABEL_COLUMN := $(call used_column,LABEL_COLUMN)
USED_LABEL_POSITIVE := $(call used_column,LABEL_POSITIVE)

COLUMN_FLAGS = $(call flag,--text-column,$(USED_TEXT_COLUMN))$(call flag,--label-column,$(USED_LABEL_COLUMN))$(call \
	flag,--label-positive,$(USED_LABEL_POSITIVE))

# Slug and model name as pipeline/sources.py and pipeline/train.py make them.
SLUG := $(shell basename -- $(call quoted,$(USED_SOURCE)) | tr 'A-Z' 'a-z' | LC_ALL=C sed -E \
	-e 's/@.*//' -e 's/\.(tar\.gz|tgz|csv|tsv|parquet)$$//' -e 's/[^a-z0-9]+/-/g' -e 's/^-//' -e 's/-$$//')
NAME := $(if $(call same,$(USED_SOURCE),sample),demo,$(or $(SLUG),corpus))
RECIPE_FILE := $(if $(filter %.toml,$(USED_RECIPE)),$(USED_RECIPE),$(RECIPES)/$(USED_RECIPE).toml)
MODEL_NAME := $(NAME)-$(basename $(notdir $(RECIPE_FILE)))-s$(USED_SEED)

CORPUS = $(DATA)/corpus/manifest.json
TOKENS = $(DATA)/tokens/manifest.json
VOCABULARY = $(DATA)/vocabulary/manifest.json
ENCODED = $(DATA)/encoders/$(ENCODER)/manifest.json
MODEL_FOLDER = $(DATA)/models/$(MODEL_NAME)
TRAINED = $(MODEL_FOLDER)/config.json
REPORT = $(REPORTS)/$(MODEL_NAME)/manifest.json
CHOICES = $(SETTINGS)/RECIPE $(SETTINGS)/SEED
USED_MODEL = $(or $(MODEL),$(shell [ -e $(call quoted,$(TRAINED)) ] && echo $(call quoted,$(MODEL_FOLDER))))

.PHONY: help setup demo data tokens vocab pretrain teach train evaluate score probe compare ladder bundle torchtext test lint check bench clean FORCE

## Usage: make TARGET [SETTING=value ...]
##
help: ## print this list
	@awk '/^##/ { sub(/^## ?/, ""); print; next } \
		/^[a-z][a-z-]*:.*## / { split($$0, line, /:.*## /); printf "  %-10s %s\n", line[1], line[2] }' \
		$(firstword $(MAKEFILE_LIST))

setup: $(INSTALLED) ## make .venv with the exact versions of constraints.txt (PYTHON=python3 PIP_FLAGS=)

##
## On a small generated sample, apart from your own data and reports:
demo: $(INSTALLED) ## run the whole job: train, evaluate, score a CSV
	@OMP_NUM_THREADS=$${OMP_NUM_THREADS:-1} $(MAKE) --no-print-directory $(DEMO_SETTINGS) demo-files
	@printf '%s\n' '' \
		'This was the demo, on a generated sample of made-up reviews. It is NOT IMDb, and its figures say nothing' \
		'about real reviews. What it left, from this folder on:' \
		'  report         $(DEMO_REPORTS)/$(DEMO_MODEL)/report.html' \
		'  figures        $(DEMO_REPORTS)/$(DEMO_MODEL)/metrics.json' \
		'  scored CSV     $(DEMO_REPORTS)/scored.csv (from $(DEMO_DATA)/reviews.csv)' \
		'  model          $(DEMO_DATA)/models/$(DEMO_MODEL)/' \
		'  audited data   $(DEMO_DATA)/corpus/audit.json' \
		'Score a file of your own with it, for a try:' \
		'  make score INPUT=a.csv OUTPUT=b.csv MODEL=$(DEMO_DATA)/models/$(DEMO_MODEL)' \
		'Next: make train evaluate (on IMDb), or make help.'

##
## On real reviews, stage by stage; each runs the ones before it where something changed:
data: $(CORPUS) $(CHOICES) ## read the reviews and audit them (SOURCE= TEXT_COLUMN= LABEL_COLUMN= LABEL_POSITIVE=)
tokens: $(TOKENS) $(CHOICES) ## split the reviews into tokens
vocab: $(VOCABULARY) $(CHOICES) ## number the words of train, and look up their vectors (VECTORS=)
pretrain: $(ENCODED) $(CHOICES) ## train a language model on the text of train and unlabelled reviews (ENCODER=name PRETRAIN_FLAGS=)
train: $(TRAINED) $(CHOICES) ## train a GRU (RECIPE=name or file.toml, SEED=, PROCESSES=)
evaluate: $(REPORT) $(CHOICES) ## measure it on test, and write the report

score: $(INSTALLED) ## append predictions to a table: make score INPUT=a.csv OUTPUT=b.csv (MODEL=folder, SCORE_FLAGS=)
	@[ -n $(call quoted,$(INPUT)) ] && [ -n $(call quoted,$(OUTPUT)) ] || \
		{ echo 'make score: say which files: make score INPUT=reviews.csv OUTPUT=scored.csv' >&2; exit 2; }
	$(SENTIMENT) score $(call quoted,$(INPUT)) -o $(call quoted,$(OUTPUT))$(call flag,--model,$(USED_MODEL)) $(SCORE_FLAGS)

teach: $(INSTALLED) ## have models label the unlabelled reviews, for recipes with a teacher (TEACHERS="name name" TEACH_FLAGS=)
	@[ -n $(call quoted,$(TEACHERS)) ] || { echo 'make teach: say which models: make teach TEACHERS="name name"' >&2; exit 2; }
	$(SENTIMENT) teach $(TEACHERS) $(TEACH_FLAGS)

probe: $(INSTALLED) ## score a model on our own negations, contrasts, short texts ... (MODEL=folder)
	$(SENTIMENT) probe$(call flag,--model,$(USED_MODEL))

compare: $(INSTALLED) ## compare two evaluated models on the same reviews (A=report B=report COMPARE_FLAGS=--fail-if-worse)
	@[ -n $(call quoted,$(A)) ] && [ -n $(call quoted,$(B)) ] || \
		{ echo 'make compare: say which reports: make compare A=imdb-default-s1 B=imdb-small-s1' >&2; exit 2; }
	$(SENTIMENT) compare $(call quoted,$(A)) $(call quoted,$(B)) $(COMPARE_FLAGS)

ladder: $(INSTALLED) ## compare all evaluated models: accuracy, cost, speed, side by side (LADDER_FLAGS=)
	$(SENTIMENT) ladder $(LADDER_FLAGS)

bundle: $(INSTALLED) ## write a compact copy of a model into the package (MODEL=folder OUTPUT=folder)
	$(SENTIMENT) bundle$(call flag,--model,$(USED_MODEL))$(call flag,-o,$(OUTPUT))
##
## Where left out, SOURCE, its columns and VECTORS are those that last worked, RECIPE and SEED those last given
## (data/settings/). Defaults: SOURCE=stanfordnlp/imdb VECTORS=glove.6B.100d RECIPE=default SEED=1

##
## For those who change the code:
test: $(INSTALLED) ## run the tests (PYTEST_FLAGS=)
	$(VENV)/bin/python -m pytest $(PYTEST_FLAGS)

lint: $(INSTALLED) ## check style and types
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

check: lint test ## lint, then test

bench: $(BENCH_INSTALLED) ## measure speed and memory beside the peers' (BENCH_FLAGS=)
	$(VENV)/bin/python -m tests.bench --data-dir "$(DATA)" --reports-dir "$(REPORTS)" $(BENCH_FLAGS)

torchtext: $(TORCHTEXT_INSTALLED) ## make .venv-torchtext for vocab's other backend (TORCHTEXT_PYTHON=, 3.12 at most)

clean: ## remove what stages wrote, models and settings too; downloads and environments stay
	rm -rf $(addprefix $(DATA)/,corpus tokens vocabulary encoders teachers models baselines settings demo) $(REPORTS)/demo \
		$(DATA)/.*.lock $(REPORTS)/.*.lock pipeline/kernels/build
	@for file in $(REPORTS)/*/manifest.json $(REPORTS)/*/probes.json; do \
		folder=$${file%/*}; [ -d "$$folder" ] || continue; \
		case $$folder in */reference|*/\*) ;; *) echo "rm -rf $$folder"; rm -rf "$$folder" ;; esac; \
	done

# --------------------------------------------------------------------------------------------------- environments
# The stamp comes last, so that a broken installation is done again. Stages take it as an order-only prerequisite: a
# new version of a package is no reason to train again.

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo 'make setup: Python 3.11 or later is needed; name one with PYTHON=' >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install $(PIP_FLAGS) -c constraints.txt -e ".[dev]"
	$(VENV)/bin/python -m pipeline.kernel_library
	$(VENV)/bin/python -m pipeline.spacy_rules
	@touch $@

# What cannot be installed is a peer that the benchmark reports as missing, and tries again the next time.
$(BENCH_INSTALLED): pyproject.toml constraints.txt | $(INSTALLED)
	@$(VENV)/bin/python -m pip install $(PIP_FLAGS) -c constraints.txt -e ".[dev,bench]" && touch $@ || \
		echo 'make bench: not all peers could be installed; the report will say which have no figures' >&2

$(TORCHTEXT_INSTALLED): constraints-torchtext.txt
	@$(TORCHTEXT_PYTHON) -c 'import sys; sys.exit(sys.version_info >= (3, 13))' || \
		{ echo 'make torchtext: Python 3.12 or earlier is needed; name one with TORCHTEXT_PYTHON=' >&2; exit 1; }
	$(TORCHTEXT_PYTHON) -m venv $(TORCHTEXT_VENV)
	$(TORCHTEXT_VENV)/bin/python -m pip install $(PIP_FLAGS) -r constraints-torchtext.txt
	@touch $@

# --------------------------------------------------------------------------------------------------------- stages
# What a stage depends on: the stage before, and the settings it uses. The code in pipeline/ is left out on purpose:
# with it, every edited comment would train again. After a change of code, remove the folder that it wrote. A local
# SOURCE or VECTORS is tracked by its name alone, not by its date: copying a file is no reason to train again either.

CORPUS_SETTINGS = SOURCE $(COLUMN_NAMES)
MODEL_SETTING = $(SETTINGS)/models/$(MODEL_NAME)

# RECIPE and SEED name a folder, where a wrong one harms nothing. They are kept before the training that they choose, so
# that plain `make train` goes on with one that was stopped, and whichever stage they were given to.
$(CHOICES): $(SETTINGS)/%: | $(CORPUS)
	@case $(call quoted,$(USED_SEED)) in *[!0-9]*) echo 'make: SEED must be a whole number' >&2; exit 2; esac
	@$(call keep,$*)
$(foreach name,RECIPE SEED,$(if $(call differs,$(name)),$(eval $(SETTINGS)/$(name): FORCE)))
$(if $(call differs,RECIPE),$(eval $(SETTINGS)/RECIPE: | $(RECIPE_FILE)))

$(CORPUS): $(if $(strip $(foreach name,$(CORPUS_SETTINGS),$(call differs,$(name)))),FORCE) | $(INSTALLED)
	@echo 'data: settings SOURCE='$(call quoted,$(USED_SOURCE))$(foreach name,$(COLUMN_NAMES),$(call said,$(name))) >&2
	$(SENTIMENT) data --source $(call quoted,$(USED_SOURCE)) --name $(NAME) $(COLUMN_FLAGS)
	@$(call keep,$(CORPUS_SETTINGS))

$(TOKENS): $(CORPUS) | $(INSTALLED)
	$(SENTIMENT) tokens

$(VOCABULARY): $(TOKENS) $(if $(call differs,VECTORS),FORCE) | $(INSTALLED)
	@echo 'vocab: settings VECTORS='$(call quoted,$(USED_VECTORS)) >&2
	$(SENTIMENT) vocab --vectors $(call quoted,$(USED_VECTORS))
	@$(call keep,VECTORS)

# PRETRAIN_FLAGS are not looked at: the name stands for the encoder, and other flags go with another name.
$(DATA)/encoders/%/manifest.json: $(VOCABULARY) | $(INSTALLED)
	$(SENTIMENT) pretrain --name $(call quoted,$*) $(PRETRAIN_FLAGS)

# A recipe that starts from a language model has it trained first; one with a teacher follows new labels.
encoder_of_recipe := $(shell sed -n 's/^encoder *= *"\([^"][^"]*\)".*/\1/p' $(call quoted,$(RECIPE_FILE)) 2>/dev/null)
teacher_of_recipe := $(shell sed -n 's/^teacher *= *"\([^"][^"]*\)".*/\1/p' $(call quoted,$(RECIPE_FILE)) 2>/dev/null)
origins = $(if $(encoder_of_recipe),$(DATA)/encoders/$(encoder_of_recipe)/manifest.json) \
	$(if $(teacher_of_recipe),$(wildcard $(DATA)/teachers/$(teacher_of_recipe)/manifest.json))

# The folder's name holds recipe and seed, so going back to an earlier one of them trains nothing; a recipe of the same
# name from another place does.
recipe_of_model := $(shell cat $(call quoted,$(MODEL_SETTING)) 2>/dev/null)

$(TRAINED): $(VOCABULARY) $(origins) $(RECIPE_FILE) $(if $(call same,$(recipe_of_model),$(RECIPE_FILE)),,FORCE) | $(INSTALLED) $(CHOICES)
	@echo 'train: settings RECIPE=$(USED_RECIPE) SEED=$(USED_SEED)' >&2
	$(LAUNCHED)$(SENTIMENT) train --recipe $(USED_RECIPE) --seed $(USED_SEED)
	-@mkdir -p "$(SETTINGS)/models" && $(call write,$(MODEL_SETTING),$(RECIPE_FILE))

$(RECIPE_FILE):
	@[ -e "$@" ] || { echo 'make: no recipe $@; there are: $(basename $(notdir $(wildcard $(RECIPES)/*.toml)))' >&2; exit 2; }

$(REPORT): $(TRAINED) | $(INSTALLED)
	$(SENTIMENT) evaluate --model "$(MODEL_FOLDER)"

# ----------------------------------------------------------------------------------------------------------- demo
# The same rules in folders of their own. `demo-files` is what the inner Make builds there, on one thread unless told
# otherwise: the model is so small that threads gain nothing, and beside other programs they wait for one another.

DEMO_DATA = $(DATA)/demo
DEMO_REPORTS = $(REPORTS)/demo
DEMO_MODEL = demo-demo-s1
DEMO_SETTINGS = DATA="$(DEMO_DATA)" REPORTS="$(DEMO_REPORTS)" SOURCE=sample TEXT_COLUMN= LABEL_COLUMN= LABEL_POSITIVE= \
	VECTORS=none RECIPE=demo SEED=1

.PHONY: demo-files
demo-files: $(REPORT) $(REPORTS)/scored.csv

$(DATA)/reviews.csv: | $(INSTALLED)
	$(SENTIMENT) sample "$@"

$(REPORTS)/scored.csv: $(DATA)/reviews.csv $(TRAINED) | $(INSTALLED)
	@mkdir -p "$(@D)"
	$(SENTIMENT) score "$<" -o "$@" --model "$(MODEL_FOLDER)"

FORCE:
