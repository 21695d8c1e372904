# Do category-selective units of networks answer as the category-selective regions of people do? Findings 1 to 5 of
# Dipani & Ratan Murty (2026) and the measures of Lu & Wang (2025), as one Makefile for your networks and your people.
#
#   cp study.mk mine.mk, fill in the settings below (or write them into a file that ends in `include study.mk`: demo.mk)
#   make -f mine.mk -j4          finding1 .. finding5, lu-wang, the tables over all, and report.html; or one of these
#
# Every product is a file, made once and made again when what it was made from changed; a killed run leaves no half
# file and is taken up where it was. Beside each, a .json says how it was made. No product is edited by hand.

# ---- Settings -------------------------------------------------------------------------------------------------------
# Where it all goes, the title of the page, and the page's first lines (`figure report --answer`; empty: none).
OUT ?= study
TITLE ?= Category selectivity in networks and people
QUESTION ?= Do units that a localizer finds in a network answer as the regions that it finds in people?
ANSWER ?=
# Threads of each command, where make runs several at once (-j); empty: all cores.
THREADS ?=

# Networks: for NAME the file, the steps from a picture to its input, and the layers to look into, first to last.
NETWORKS ?= net
net.onnx ?= net.onnx
net.steps ?= --preprocess imagenet
net.layers ?= layer1 layer2 layer3 layer4
# Untrained twins of each (weights drawn anew by these seeds); empty: none.
SEEDS ?= 1 2 3 4 5
# Networks that learned from language, and the one network without it that they are compared with (Lu & Wang).
LANGUAGE ?=
VISION ?=

# Sets of pictures: a table each (columns stimulus or path, and its categories). A set may be a part of another:
# NAME.of and NAME.where (COLUMN=VALUE) then say of which, in place of a table.
SETS ?= floc other main
floc.table ?= floc.csv
other.table ?= other.csv
main.table ?= main.csv

# Localizers: sets whose column .by has the domains. The first one is the localizer; a second one is compared with it.
LOCALIZERS ?= floc
floc.by ?= domain
DOMAINS ?= faces bodies places
# The contrast of a domain; where .against is given, these domains are the others, else all of the table.
floc.against ?=
# t above which a unit is selective, and those of the robustness analysis (the first among them).
T ?= 7
THRESHOLDS ?= 3 5 7 9 11
# How the layer that represents a network for a domain is chosen (`unit-stats layers --choose`), always on other pictures
# of the localizer than its numbers are reported from.
CHOOSE ?= selected

# Independent pictures with categories, on which selective units are validated: never a localizer's own.
VALIDATION ?= other
other.by ?= domain

# People: their pictures, their names, and regions with the domain each prefers.
PICTURES ?= main
SUBJECTS ?= sub-01 sub-02
REGIONS ?= FFA EBA PPA
FFA.domain ?= faces
EBA.domain ?= bodies
PPA.domain ?= places
# brain REGION SUBJECT T: a labelled matrix of that person's region, rows = trials of PICTURES, columns = voxels. With
# betas (localizer_betas SUBJECT, main_betas SUBJECT) the rules below make it; else name files that you have.
brain ?= $(OUT)/brain/$(1)/t$(3)/$(2).npy
localizer_betas ?=
main_betas ?=
# Search spaces of the regions, an image and the table of its labels.
PARCELS ?= parcels.nii.gz
LABELS ?= parcels.tsv
# What is compared: mean profiles over PICTURES, and RDMs of the patterns (leave rdm out for regions of one voxel).
STATS ?= profile rdm
# Finding 4: folds, and random sets of units; as many of either as `encode ablate` would take.
CV ?= 5
DRAWS ?= 100
# Finding 5: a column of the table of PICTURES, and two of its values, per region; empty: pictures are listed alone.
FFA.group ?=
FFA.groups ?=

# ---- What follows needs no filling in -------------------------------------------------------------------------------
.DELETE_ON_ERROR:
.SECONDARY:
.DEFAULT_GOAL := study
.PHONY: study finding1 finding2 finding3 robustness finding4 finding5 lu-wang
SHELL := bash
.SHELLFLAGS := -euo pipefail -c

quiet := --quiet $(if $(THREADS),--threads $(THREADS))
base = $(firstword $(subst -untrained-, ,$(1)))
seed = $(word 2,$(subst -untrained-, ,$(1)))
TWINS := $(foreach n,$(NETWORKS),$(SEEDS:%=$(n)-untrained-%))
MODELS := $(NETWORKS) $(TWINS)
localizer := $(firstword $(LOCALIZERS))
second := $(word 2,$(LOCALIZERS))
several_people := $(word 2,$(SUBJECTS))
# table SET, and whether it has pictures that the set has not; by SET; contrast SET DOMAIN; layers MODEL.
table = $($(or $($(1).of),$(1)).table)
inner = $(if $($(1).of),--inner)
comma := ,
contrast = --contrast '$(2) > $(or $(subst $() $(),$(comma),$(filter-out $(2),$($(1).against))),rest)'
stimuli = --stimuli $(call table,$(1)) --by $($(or $($(1).of),$(1)).by) $(call inner,$(1))
layers = $($(call base,$(1)).layers)
# Files: activations SET MODEL LAYER; all of a model; the choice of its layers; its units; a table of validation.
acts = $(OUT)/acts/$(1)/$(2)/$(3).npy
all_acts = $(foreach layer,$(call layers,$(2)),$(call acts,$(1),$(2),$(layer)))
choice = $(OUT)/layers/$(1)/$(2).csv
units = $(OUT)/units/$(1)/$(2)/t$(4)/$(3).csv
validated = $(OUT)/finding1/$(1)/$(2)/$(3).csv
people = $(foreach subject,$(SUBJECTS),$(call brain,$(1),$(subject),$(2)))
responses = $(OUT)/models/$(1)/t$(3)/$(2).npy
all_responses = $(foreach model,$(MODELS),$(call responses,$(1),$(model),$(2)))
# layer SET MODEL DOMAIN, in a recipe: the layer that was chosen; the last one where no layer has a unit.
layer = layer=$$(npy stack -q --where chosen=true --where preferred=$(3) --columns array $(call choice,$(1),$(2)) 2> /dev/null | sed 1d || true); \
	layer=$${layer:-$(lastword $(call layers,$(2)))}
# filled FILES: those that have a column. Sets without a unit and regions without a voxel have none; finding1.csv and
# regions.csv count them.
filled = filled() { for file; do npy info -q "$$file" | sed 1d | cut -d, -f2 | grep -q 'x0$$' || echo "$$file"; done; };

# -- Activations: one pass of a network over a set, all its layers
define ACTS
$(call all_acts,$(1),$(2)) &: $($(call base,$(2)).onnx) $($(1).table)
	ann-acts $(quiet) $$< $($(call base,$(2)).steps) $(foreach l,$(call layers,$(2)),--layer $(l)) \
	    $(if $(call seed,$(2)),--untrained $(call seed,$(2)) $(if $(filter $(1),$(or $($(localizer).of),$(localizer))),,--calibrate-on $(call table,$(localizer)))) \
	    --out-dir $(OUT)/acts/$(1)/$(2) $($(1).table)
endef
define PART_OF_ACTS
$(call acts,$(1),$(2),%): $(call acts,$($(1).of),$(2),%) $(call table,$(1))
	@mkdir -p $$(@D)
	npy rows -q --stimuli $(call table,$(1)) --where '$($(1).where)' $$< -o $$@
endef
$(foreach set,$(SETS),$(foreach model,$(MODELS),$(eval $(call $(if $($(set).of),PART_OF_ACTS,ACTS),$(set),$(model)))))

# -- Finding 1: selective units, layer by layer; the layer that represents a network; validation on other pictures
define CHOICE
$(call choice,$(1),$(2)): $(call all_acts,$(1),$(2)) $(call table,$(1))
	@mkdir -p $$(@D)
	unit-stats layers $(quiet) $(call stimuli,$(1)) --t $(T) --choose $(CHOOSE) \
	    $(foreach domain,$(DOMAINS),$(call contrast,$(1),$(domain))) $(call all_acts,$(1),$(2)) -o $$@
endef
define UNITS
$(call units,$(1),$(2),$(3),$(4)): $(call choice,$(1),$(2))
	@mkdir -p $$(@D)
	$(call layer,$(1),$(2),$(3)); \
	select-units $(quiet) $(call stimuli,$(1)) --t $(4) $(call contrast,$(1),$(3)) $(OUT)/acts/$(1)/$(2)/$$$$layer.npy -o $$@
endef
define VALIDATED
$(call validated,$(1),$(2),$(3)): $(call units,$(1),$(2),$(3),$(T)) $(call all_acts,$(VALIDATION),$(2))
	@mkdir -p $$(@D)
	$(call layer,$(1),$(2),$(3)); \
	unit-stats validate $(quiet) $(call stimuli,$(VALIDATION)) --units $$< $(OUT)/acts/$(VALIDATION)/$(2)/$$$$layer.npy -o $$@
endef
$(foreach set,$(LOCALIZERS),$(foreach model,$(MODELS),$(eval $(call CHOICE,$(set),$(model))) \
    $(foreach domain,$(DOMAINS),$(eval $(call VALIDATED,$(set),$(model),$(domain))) \
        $(foreach t,$(sort $(T) $(THRESHOLDS)),$(eval $(call UNITS,$(set),$(model),$(domain),$(t)))))))

$(OUT)/finding1.csv: $(foreach set,$(LOCALIZERS),$(foreach model,$(MODELS),$(call choice,$(set),$(model))))
	npy stack -q --path '{localizer}/{model}.csv' --where chosen=true,false $^ -o $@
$(OUT)/validated.csv: $(foreach set,$(LOCALIZERS),$(foreach model,$(MODELS),$(foreach domain,$(DOMAINS),$(call validated,$(set),$(model),$(domain)))))
	npy stack -q --path '{localizer}/{model}/{chosen_for}.csv' $^ -o $@
define RESPONSES
$(OUT)/finding1/$(1)-$(2).svg: $(foreach domain,$(DOMAINS),$(call validated,$(1),$(2),$(domain)))
	npy stack -q $$^ | figure responses --quiet --facet contrast --title '$(2): units of $(1), t > $(T), shown $(VALIDATION)' -o $$@
endef
$(foreach set,$(LOCALIZERS),$(foreach model,$(MODELS),$(eval $(call RESPONSES,$(set),$(model)))))
finding1: $(OUT)/finding1.csv $(OUT)/validated.csv \
    $(foreach set,$(LOCALIZERS),$(foreach model,$(NETWORKS) $(firstword $(TWINS)),$(OUT)/finding1/$(set)-$(model).svg))

# -- People: regions from the localizer's betas, and their trials of PICTURES
define REGION
$(OUT)/brain/$(1)/t$(3)/$(2).csv: $(call localizer_betas,$(2)) $(PARCELS)
	@mkdir -p $$(@D)
	fmri-roi contrast $(quiet) $(call stimuli,$(localizer)) $(call contrast,$(localizer),$($(1).domain)) $$< | \
	    fmri-roi define $(quiet) --stat - --like $(PARCELS) --parcels $(PARCELS) --labels $(LABELS) --name $(1) --t $(3) -o $$@
$(call brain,$(1),$(2),$(3)): $(OUT)/brain/$(1)/t$(3)/$(2).csv $(call main_betas,$(2))
	fmri-roi extract $(quiet) --roi $$< $(call main_betas,$(2)) $(if $($(PICTURES).of),| npy rows -q --stimuli $(call table,$(PICTURES)) --where '$($(PICTURES).where)') -o $$@
endef
$(if $(localizer_betas),$(foreach region,$(REGIONS),$(foreach subject,$(SUBJECTS),$(foreach t,$(sort $(T) $(THRESHOLDS)),\
    $(eval $(call REGION,$(region),$(subject),$(t)))))))

# -- Findings 2 and 3: the selected units' responses to PICTURES, beside people's: mean profiles, and RDMs
define MODEL
$(call responses,$(1),$(2),$(3)): $(call units,$(localizer),$(2),$($(1).domain),$(3)) $(call all_acts,$(PICTURES),$(2))
	@mkdir -p $$(@D)
	$(call layer,$(localizer),$(2),$($(1).domain)); \
	npy cols -q --units $$< --array $$$$layer $(OUT)/acts/$(PICTURES)/$(2)/$$$$layer.npy | npy label --name '$(2)' - -o $$@
endef
