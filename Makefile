# The verbs of development. `./dev VERB` sets up the environment first; inside it, plain `make VERB` works too.
.DEFAULT_GOAL := help
.PHONY: help demo test format lint types units units-collection units-newest sanity sanity-newest docs build \
	lab lab-down integration matrix molecule bench bench-answers bench-fleet bench-vacuum bench-backup

# Tests of the lab stop its components; the others wait most of the time, each file on its own ground.
disturbing := tests/lab/test_lab.py
of_the_lab := python -m pytest -m "lab and not lab_down" tests/integration tests/lab --ignore $(disturbing)
side_by_side := $(of_the_lab) -n 3 --dist loadfile
# A crowded machine lets tests fail that do not fail alone. What fails alone, too, is a failure; phases.py names both.
once_more := { echo "What failed is run once more, alone."; LINKOPS_SAMPLE= $(of_the_lab) --last-failed --lfnf none; }
collection := .collections/ansible_collections/linkops/runbooks

help: ## list the verbs
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 18

demo: lab ## bring the lab up, put it into its incident, and roll its servicelink-api back to revision 5
	python -m lab seed
	ansible-playbook playbooks/rollback.yml -e revision=5

test: ## everything, phase by phase; takes the lab down at the end
	@python -m tests.tools.phases sanity sanity-newest lint units-collection units-newest units types build docs \
		lab integration molecule lab-down

format: ## write the code in its one format
	ruff format
	ruff check --fix

lint: ## ruff, yamllint, ansible-lint, changelog fragments
	ruff format --check
	ruff check
	yamllint --strict .
	ansible-lint
	antsibull-changelog lint

types: ## mypy
	mypy $(collection)/plugins lab

units: ## unit tests in the checkout
	python -m pytest -n 2 tests/unit

units-collection: ## unit tests of the built collection's parts, as ansible-test runs them
	python -m tests.tools.ansible_test units

units-newest: ## unit tests on Python 3.13 with the newest ansible-core
	@./dev newest python -m pytest tests/unit

sanity: ## ansible-test's sanity tests
	python -m tests.tools.ansible_test sanity

sanity-newest: ## the same on Python 3.13 with the newest ansible-core
	@./dev newest python -m tests.tools.ansible_test sanity

docs: ## the modules' documentation, as antsibull-docs reads it
	python -m tests.tools.docs

build: ## build the tarball, install it into an empty path, and let the Galaxy importer look at it
	python -m tests.tools.tarball

lab: ## bring the lab up
	python -m lab up

lab-down: ## take the lab down and see that nothing of it is left
	python -m pytest -m lab_down tests/lab

integration: ## tests against the lab, with a sample of the fault matrix that the commit draws
	python -m pytest -m "lab and not lab_down" $(disturbing)
	LINKOPS_SAMPLE=$${LINKOPS_SAMPLE-$$(git rev-parse --short HEAD)} $(side_by_side) || $(once_more)

matrix: ## the same with the whole fault matrix
	$(side_by_side) || $(once_more)

molecule: ## the scenarios of the buttons, against the lab, each from its known state
	molecule reset --all
	molecule test --all

bench bench-answers bench-fleet bench-vacuum bench-backup: export PYTHONPATH := .collections

bench: ## the button side by side with kubectl and kubernetes.core, against the lab; writes docs/benchmarks.md
	python -m tests.benchmarks rollback --write

bench-answers: ## how long health and the refusal of bad input take, against the lab
	python -m tests.benchmarks answers --write

bench-fleet: ## the restart of 100 services beside kubectl, and a namespace full of foreign pods; brings up its own lab
	python -m tests.benchmarks fleet --write

bench-vacuum: ## a vacuum and an index build beside the bare statements, and the plan for 1,000 tables
	python -m tests.benchmarks vacuum --write

bench-backup: ## a backup of 1 GB beside pg_dump alone, and the memory that it takes
	python -m tests.benchmarks backup --write
