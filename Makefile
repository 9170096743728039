# SPDX-License-Identifier: GPL-3.0-or-later
# Every target sets up all it needs (tools/set_up.py); a second run finds it there.

PYTHON := .venv/bin/python
CHECK := .venv-check/bin/python
RECIPES := .venv-recipes/bin/python
READERS := .venv-readers/bin/python
SET_UP := sh tools/set_up.sh
# What models/pairs_person.npz was made with.
PERSON_PAIRS := --initial 1000 --rounds 8 --per-round 600 --epochs 20 --latents 4000 --direct-epochs 40

.PHONY: help demo lint style check check-heads check-rooms check-mapping test test-farm test-rooms models corrections report attributes proportions groups hands fit-report photo-report domain-gap landmarks landmarks-report evaluate expectation influence parity bench bench-compare million gpu-check extension test-bpy test-blender clean

help:
	@grep -hE '^[a-z-]+:.*##' Makefile | sed -E 's/:[^#]*##/\t/' | expand -t 16

demo: ## 16 heads from the latents of real faces, all different, with a report: out/demo
	@$(SET_UP) runtime
	@$(PYTHON) batch/run.py generate --count 16 --seed 0 --output out/demo --replace

lint: ## style, types and banned imports
	@$(SET_UP) check
	@$(MAKE) --no-print-directory PYTHON=$(CHECK) style

style:
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy

# The groups run side by side, the longest first, and each tells all at its end.
check: ## style, types, imports and the pure rooms, without bpy: a minute on two cores
	@$(SET_UP) check
	@$(MAKE) --no-print-directory --jobs=3 --output-sync=target PYTHON=$(CHECK) check-heads check-rooms check-mapping style

# Several small networks at once: one thread each is faster than all fighting for two cores.
check-heads check-rooms check-mapping: export OPENBLAS_NUM_THREADS := 1
check-heads check-rooms check-mapping: export OMP_WAIT_POLICY := PASSIVE
QUICK_TESTS = $(PYTHON) -m pytest -q --durations=5 -m "not torch and not slow"
check-heads:
	$(QUICK_TESTS) tests/heads

check-rooms:
	$(QUICK_TESTS) tests/latent tests/labels tests/encoders tests/variety tests/test_imports.py \
		tests/test_documentation.py tests/test_shell_scripts.py tests/test_shapes.py

check-mapping:
	$(QUICK_TESTS) tests/mapping

# The two halves of the tests run side by side, and each tells all at its end.
FARM_TESTS := tests/batch tests/dataset tests/install
test test-farm test-rooms: export OPENBLAS_NUM_THREADS := 1
test test-farm test-rooms: export OMP_WAIT_POLICY := PASSIVE
test: ## what every change has to pass
	@$(SET_UP) runtime test recipes
	@$(MAKE) --no-print-directory style
	@echo "two halves side by side, about ten minutes on two cores; each tells all at its end"
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target test-farm test-rooms

test-farm:
	$(PYTHON) -m pytest -m "not torch and not blender" $(FARM_TESTS)
	$(RECIPES) -m pytest -m torch tests/heads tests/encoders tests/mapping tests/training
	$(PYTHON) -m models.training.make_report --quick --output out/report-quick

test-rooms:
	$(PYTHON) -m pytest -m "not torch and not blender" tests $(FARM_TESTS:%=--ignore=%)

models: ## remake every artifact of models/; MODEL=FILE: pairs and B for a FLAME file of yours
	@$(SET_UP) runtime recipes
ifdef MODEL
	$(PYTHON) -m models.training.make_backward --model "$(MODEL)"
	$(PYTHON) -m models.training.rank_sliders --model "$(MODEL)"
	$(MAKE) corrections MODEL="$(MODEL)"
else
	$(RECIPES) -m models.training.bake_anny_head
	$(RECIPES) -m models.training.bake_person_head
	$(RECIPES) -m models.training.bake_skin
	$(RECIPES) -m models.training.bake_open_person
	$(RECIPES) -m models.training.bake_open_flame
	$(RECIPES) -m models.training.learn_characteristics
	$(RECIPES) -m models.training.bake_facenet_skeleton
	$(RECIPES) -m models.training.fit_face_crop
	$(RECIPES) -m models.training.fit_natural_faces
	$(RECIPES) -m models.training.fit_attributes
	$(RECIPES) -m models.training.measure_people
	$(PYTHON) -m models.training.make_backward --model anny
	$(PYTHON) -m models.training.make_backward --model open_flame
	$(PYTHON) -m models.training.make_backward --model person $(PERSON_PAIRS)
	$(PYTHON) -m models.training.rank_sliders --model anny
	$(PYTHON) -m models.training.rank_sliders --model open_flame
	$(PYTHON) -m models.training.rank_sliders --model person
	$(PYTHON) -m models.training.make_gallery
	$(MAKE) corrections MODEL=anny
	$(MAKE) corrections MODEL=open_flame
endif

corrections: ## fit what brings roundtrips nearer without a render, for MODEL (15 minutes)
	@$(SET_UP) runtime recipes
	$(RECIPES) -m models.training.fit_corrections talk --model "$(or $(MODEL),open_flame)"
	$(PYTHON) -m models.training.fit_corrections render --model "$(or $(MODEL),open_flame)"
	$(RECIPES) -m models.training.fit_corrections fit --model "$(or $(MODEL),open_flame)"

report: ## the tables of docs/results for MODEL, judged by renders: out/report (QUICK=1: 4 minutes)
	@$(SET_UP) runtime report
	$(PYTHON) -m models.training.make_report --model "$(or $(MODEL),open_flame)" \
		$(if $(QUICK),--quick --output out/report-quick)

attributes: ## do photos and the heads of their latents read as the same people, for MODEL: out/attributes
	@$(SET_UP) runtime readers
	$(PYTHON) -m models.training.report_attributes --model "$(or $(MODEL),anny)" \
		$(if $(PHOTOS),--photos "$(PHOTOS)") | grep -a "^|"

proportions: attributes ## after attributes: have the heads the proportions of the people on the photos
	$(READERS) -m models.training.report_proportions out/attributes/$(or $(MODEL),anny)/photos \
		out/attributes/$(or $(MODEL),anny)/heads

groups: ## eight contact sheets of a balanced population, and its figures, for MODEL: out/groups
	@$(SET_UP) runtime readers
	$(PYTHON) -m models.training.report_groups --model "$(or $(MODEL),person)" \
		$(if $(COUNT),--count $(COUNT) --asked $(COUNT)) | grep -a "^|"
	$(PYTHON) -m models.training.group_correlations --model "$(or $(MODEL),person)"

hands: ## 64 heads of MODEL, apart IN other hands, seen by another detector: out/hands
	@$(SET_UP) runtime recipes
	$(PYTHON) batch/run.py generate --model "$(or $(MODEL),person)" --count $(or $(COUNT),64) \
		--apart-in $(or $(IN),other-crops) --samples 8 --size 224 --no-comparison --output out/hands --replace
	$(RECIPES) -m models.training.report_other_hands out/hands

fit-report: ## how near heads come that are fitted to COUNT photos of LFW, or PHOTOS: docs/results/photo.md
	@$(SET_UP) runtime sface
	@$(PYTHON) -m models.training.measure_fit $(if $(COUNT),--count $(COUNT)) \
		$(if $(PHOTOS),--photos "$(PHOTOS)") | grep -a "^|"

# IMAGES: a folder with data sets latent, prior and uniform, as make landmarks leaves them.
photo-report: ## does the distribution of training heads matter on photos: out/distributions (IMAGES=out/landmarks; QUICK=1)
	@$(SET_UP) runtime sface
	$(PYTHON) -m models.training.distributions $(if $(QUICK),--quick) \
		$(if $(IMAGES),$(foreach name,latent prior uniform,--data-set $(name)=$(IMAGES)/$(name)))

domain-gap: ## what tells renders from photos, and what closes it: out/domain_gap (QUICK=1: few people)
	@$(SET_UP) runtime sface test
	$(PYTHON) -m models.training.domain_gap $(if $(QUICK),--people 20 --work out/domain_gap-quick)

# QUICK: a handful of images, to see that everything runs.
LANDMARKS := out/landmarks$(if $(QUICK),-quick)
landmarks: ## render heads, teach the landmark network by them and judge it on photos (an hour; QUICK=1)
	@$(SET_UP) runtime recipes readers
	$(PYTHON) -m models.training.landmarks.make_set --folder $(LANDMARKS) \
		$(if $(QUICK),--count 48 --shard-size 48)
	$(RECIPES) -m models.training.landmarks.train --folder $(LANDMARKS) \
		$(if $(QUICK),--passes 2 --output $(LANDMARKS)/network.onnx)
	$(RECIPES) -m models.training.landmarks.judge_heads --folder $(LANDMARKS)
	$(READERS) -m models.training.landmarks.judge_photos --sheet out/landmarks.png

landmarks-report: ## the landmark network taught by one distribution each, judged on heads and photos (QUICK=1)
	@$(SET_UP) runtime recipes readers
	$(PYTHON) -m models.training.landmarks.make_set --folder $(LANDMARKS) \
		$(if $(QUICK),--count 48 --shard-size 48)
	$(RECIPES) -m models.training.landmarks.by_distribution --folder $(LANDMARKS) \
		$(if $(QUICK),--sizes 32 --seeds 1 --steps 2)
	$(READERS) -m models.training.landmarks.judge_photos --network $(LANDMARKS)/networks/*.onnx

evaluate: ## judge B by renders of held-out identities: docs/results/backward_MODEL.md (20 min a model)
	@$(SET_UP) runtime
	$(PYTHON) -m models.training.evaluate_backward --model "$(or $(MODEL),open_flame)"

expectation: ## do heads come nearer as their look gets complete: docs/results/expectation.md (70 min; QUICK=1)
	@$(SET_UP) runtime recipes
	$(PYTHON) -m models.training.expectation $(if $(ROWS),--rows $(ROWS)) $(if $(QUICK),--quick)

influence: ## what each slider of MODEL does, by renders: thumbnails and figures (resumable)
	@$(SET_UP) runtime
	$(PYTHON) batch/run.py influence --model "$(or $(MODEL),open_flame)"

parity: ## FLAME here against the smplx package: the table of docs/head_models.md
	@$(SET_UP) recipes
	@$(RECIPES) -m tools.flame_parity

bench: ## FaceGen against bare Cycles, ONNX Runtime, smplx and shape keys, as ratios in one run (PARTS=, PROCESSOR_TIME=1)
	@$(SET_UP) runtime recipes
	@$(PYTHON) -m tools.bench $(if $(PROCESSOR_TIME),--processor-time) $(PARTS)

bench-compare: ## today's figures beside another commit's, in turn: make bench-compare REV=HEAD~10 (PARTS=)
	@$(SET_UP) runtime recipes
	@$(PYTHON) -m tools.bench $(if $(PROCESSOR_TIME),--processor-time) --against "$(or $(REV),HEAD~1)" $(PARTS)

million: ## a large data set merged and verified in flat memory, F replaced by a clock (COUNT=200000)
	@$(SET_UP) runtime
	@$(PYTHON) -m tools.million $(if $(COUNT),--count $(COUNT)) $(if $(FOLDER),--folder "$(FOLDER)")

gpu-check: ## does the GPU render what the CPU does, how fast (6 minutes); GPU_SITE=: onnxruntime-gpu
	@$(SET_UP) runtime
	@$(if $(GPU_SITE),PYTHONPATH="$(GPU_SITE)") $(PYTHON) -m tools.gpu_check

extension: ## a zip a platform that Blender installs: dist/; PLATFORM=linux-x64: that one alone
	@$(SET_UP) runtime
	@$(PYTHON) -m tools.build_extension $(if $(PLATFORM),--platform $(PLATFORM))

test-bpy: ## scene, panel, batch and zip on another Blender: VERSION=4.2.23 or 5.0.1 (or 5.2.3)
	@sh tools/test_bpy.sh $(VERSION)

test-blender: ## zip, generate and panel inside real Blenders: VERSION=4.3 or 5.2 (root, debootstrap; 9 minutes each)
	@$(SET_UP) runtime
	sh tools/test_blender.sh $(VERSION)

clean: ## remove environments, built files and output
	rm -rf .venv .venv-check .venv-readers .venv-recipes .venv-bpy-* .mypy_cache .pytest_cache .ruff_cache models/built dist out
