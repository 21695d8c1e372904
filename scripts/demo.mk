# The study of scripts/study.mk on what `make setup` brings: a real network and real pictures, and SIMULATED people.
OUT := demo
TITLE := catsel demo
QUESTION := Do units that a face, body, place or object localizer finds in a network answer as the regions that it finds in people?
ANSWER := scripts/demo-answer.txt
PEOPLE := $() (SIMULATED people)

NETWORKS := efficientnet-lite0
efficientnet-lite0.onnx := build/models/efficientnet-lite0.onnx
efficientnet-lite0.steps := --preprocess efficientnet-lite --resize 224x224 --interpolation bicubic
efficientnet-lite0.layers := block_05 block_10 head pool

# One half of the pictures is the localizer, the other what people see: units and regions are measured on pictures that
# did not choose them.
SETS := emoji odd even
emoji.table := build/stimuli/emoji/stimuli.csv
emoji.by := domain
odd.of := emoji
odd.where := half=odd
even.of := emoji
even.where := half=even
LOCALIZERS := odd
DOMAINS := faces bodies places objects
T := 5
VALIDATION := even
PICTURES := even

SUBJECTS := sub-01 sub-02 sub-03 sub-04 sub-05 sub-06 sub-07 sub-08
REGIONS := simFFA simEBA simPPA simLO
simFFA.domain := faces
simEBA.domain := bodies
simPPA.domain := places
simLO.domain := objects
simFFA.group := face_species
simFFA.groups := human > animal
localizer_betas = $(OUT)/simulated/$(1)/simulated_localizer_betas.npy
main_betas = $(OUT)/simulated/$(1)/simulated_main_betas.npy
PARCELS := $(OUT)/simulated/simulated_parcels.nii.gz
LABELS := $(OUT)/simulated/simulated_parcels.tsv

include scripts/study.mk

# Eight people made of the network's responses to all pictures and of what the network lacks.
$(PARCELS) $(LABELS) $(foreach s,$(SUBJECTS),$(call localizer_betas,$(s)) $(call main_betas,$(s))) &: $(OUT)/acts/emoji/efficientnet-lite0/pool.npy
	build/venv/bin/python scripts/simulate-subjects.py --features $< --stimuli $(emoji.table) $(OUT)/simulated

# The localizer in silico: a model of every voxel, fitted on the pictures that people saw, predicts the localizer.
in_silico := $(SUBJECTS:%=$(OUT)/in-silico/%.csv)
$(OUT)/in-silico/table-odd.csv: $(emoji.table)
	@mkdir -p $(@D)
	awk -F, 'NR == 1 || $$6 == "odd"' $< > $@.part && mv $@.part $@
$(in_silico): $(OUT)/in-silico/%.csv: $(OUT)/in-silico/table-odd.csv $(call localizer_betas,%) $(call main_betas,%) $(foreach set,odd even,$(call acts,$(set),efficientnet-lite0,pool))
	npy rows -q --stimuli $(emoji.table) --where half=even $(call main_betas,$*) -o $(OUT)/in-silico/$*.npy
	scripts/in-silico-localizer.sh $(T) $< $(call acts,odd,efficientnet-lite0,pool) $(call localizer_betas,$*) \
	    $(call acts,even,efficientnet-lite0,pool) $(OUT)/in-silico/$*.npy $(DOMAINS:%='% > rest') > $@.part 2>> $(OUT)/in-silico/notes.txt && mv $@.part $@
$(OUT)/in-silico.csv: $(in_silico)
	npy stack -q --path 'in-silico/{person}.csv' $^ -o $@

# A real person, from BOLD to regions.
$(OUT)/haxby/summary.csv: scripts/haxby.sh
	scripts/haxby.sh $(OUT)/haxby > /dev/null

$(OUT)/report.html: $(OUT)/in-silico.csv $(OUT)/haxby/summary.csv
.PHONY: in-silico haxby
in-silico: $(OUT)/in-silico.csv
haxby: $(OUT)/haxby/summary.csv
