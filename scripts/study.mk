# Do category-selective units of networks answer as the category-selective regions of people do? Findings 1 to 5 of
# Dipani & Ratan Murty (2026) and the measures of Lu & Wang (2025), as one Makefile for your networks and your people.
#
#   cp study.mk mine.mk, fill in the settings below (or write them into a file that ends in `include study.mk`: demo.mk)
#   make -f mine.mk -j4          finding1 .. finding5, lu-wang, the tables over all, and report.html; or one of these
#
# Every product is a file, made once and made again when what it was made from changed, settings included (all but the
# activations where only other settings changed); a killed run leaves no half file and is taken up where it was. Beside
# each, a .json says how it was made. Pictures are known by their table: touch it when they change.

# ---- Settings -------------------------------------------------------------------------------------------------------
# Where it all goes, the title of the page, and the page's first lines (`figure report --answer`; empty: none).
OUT ?= study
TITLE ?= Category selectivity in networks and people
QUESTION ?= Do units that a localizer finds in a network answer as the regions that it finds in people?
ANSWER ?=
# Threads of each command, where make runs several at once (-j); empty: all cores.
THREADS ?=

# Networks: for NAME the file, the steps from a picture to its input, and the layers to look into, first to last (by
# names without a slash: those of modules, `ann-acts NET --list-layers`).
NETWORKS ?= net
net.onnx ?= net.onnx
net.steps ?= --preprocess imagenet
net.layers ?= layer1 layer2 layer3 layer4
# Untrained twins of each (weights drawn anew by these seeds); empty: none. Their normalizations are measured on the
# localizer's pictures: NAME.calibrate := no for a network that has none.
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
main.by ?= domain

# Localizers: sets whose column .by has the domains. The first one is the localizer; a second one is compared with it.
LOCALIZERS ?= floc
floc.by ?= domain
DOMAINS ?= faces bodies places
# A localizer that has only some of the domains says which: NAME.domains.
# The contrast of a domain; where .against is given, these domains are the others, else all of the table.
floc.against ?=
# t above which a unit is selective, and those of the robustness analysis.
T ?= 7
THRESHOLDS ?= 3 5 7 9 11
# How the layer that represents a network for a domain is chosen (`unit-stats layers --choose`), always on other pictures
# of the localizer than its numbers are reported from: selected, t, dprime; or tuning, which needs --brain behind it, one
# file a domain in the order of DOMAINS, without quotes: CHOOSE := tuning --brain FFA.npy EBA.npy PPA.npy (a second
# localizer, whose pictures these people did not see, then takes selected). A network with no unit on the half that
# chooses has no layer, and no units.
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
# What stands behind a region's name in titles, such as " (simulated people)"; and options of `tuning compare` and of the
# tests of Finding 5, such as --brain-reliability where regions come without trials ($(1) is the region).
PEOPLE ?=
TUNING ?=
DIVERGE ?= --noise-corrected
# What is compared: mean profiles over PICTURES, and RDMs of the patterns (leave rdm out for regions of one voxel).
STATS ?= profile rdm
# Whether people's rows are repeated trials, which give the ceiling of Finding 4; empty: no.
TRIALS ?= yes
# Finding 4: folds, and random sets of units; as many of either as `encode ablate` would take.
CV ?= 5
DRAWS ?= 100
# Finding 5: a column of the table of PICTURES, and two of its values, per region; empty: pictures are listed alone.
FFA.group ?=
FFA.groups ?=

# ---- What follows needs no filling in -------------------------------------------------------------------------------
.DELETE_ON_ERROR:
.DEFAULT_GOAL := study
.PHONY: study finding1 finding2 finding3 robustness finding4 finding5 lu-wang
SHELL := bash
.SHELLFLAGS := -euo pipefail -c

# What the settings were: products are made again where they differ.
# settings FILE VARIABLES: writes them there if they are not those there.
settings = $(shell mkdir -p $(dir $(1)))$(file > $(1).new,$(foreach name,$(2),$(name) = $(value $(name))))$(shell cmp -s $(1).new $(1) && rm $(1).new || mv $(1).new $(1))
$(foreach net,$(NETWORKS),$(call settings,$(OUT)/settings/$(net).txt,$(net).onnx $(net).steps $(net).layers $(net).calibrate))
$(call settings,$(OUT)/settings/study.txt,NETWORKS SEEDS LANGUAGE VISION SETS LOCALIZERS DOMAINS T THRESHOLDS CHOOSE VALIDATION PICTURES \
    SUBJECTS REGIONS brain localizer_betas main_betas PARCELS LABELS TUNING DIVERGE STATS TRIALS CV DRAWS \
    $(foreach set,$(SETS),$(set).table $(set).of $(set).where $(set).by $(set).against $(set).domains) \
    $(foreach region,$(REGIONS),$(region).domain $(region).group $(region).groups))
# What figures and the page only say.
$(call settings,$(OUT)/settings/page.txt,TITLE QUESTION ANSWER PEOPLE)
export STUDY_TITLE := $(TITLE)
export STUDY_QUESTION := $(QUESTION)
export STUDY_PEOPLE := $(PEOPLE)

quiet := --quiet $(if $(THREADS),--threads $(THREADS))
base = $(firstword $(subst -untrained-, ,$(1)))
seed = $(word 2,$(subst -untrained-, ,$(1)))
TWINS := $(foreach n,$(NETWORKS),$(SEEDS:%=$(n)-untrained-%))
MODELS := $(NETWORKS) $(TWINS)
localizer := $(firstword $(LOCALIZERS))
thresholds := $(shell printf '%s\n' $(THRESHOLDS) | sort -gu)
second := $(word 2,$(LOCALIZERS))
$(call settings,$(OUT)/settings/calibration.txt,localizer)
several_people := $(word 2,$(SUBJECTS))
# table SET, and whether it has pictures that the set has not; contrast SET DOMAIN; domains SET; layers MODEL.
table = $($(or $($(1).of),$(1)).table)
inner = $(if $($(1).of),--inner)
comma := ,
contrast = $(2) > $(or $(subst $() $(),$(comma),$(filter-out $(2),$($(1).against))),rest)
stimuli = --stimuli $(call table,$(1)) --by $($(or $($(1).of),$(1)).by) $(call inner,$(1))
domains = $(or $($(1).domains),$(DOMAINS))
choose = $(if $(filter-out $(localizer),$(1)),$(patsubst tuning,selected,$(firstword $(CHOOSE))),$(CHOOSE))
layers = $($(call base,$(1)).layers)
# Whether a twin's normalizations are measured on other pictures than it is shown: calibrated SET MODEL.
calibrated = $(if $(call seed,$(2)),$(if $(filter $(1),$(or $($(localizer).of),$(localizer)))$(filter no,$($(call base,$(2)).calibrate)),,yes))
# Files: activations SET MODEL LAYER; all of a model; the choice of its layers; its units; a table of validation.
acts = $(OUT)/acts/$(1)/$(2)/$(3).npy
all_acts = $(foreach layer,$(call layers,$(2)),$(call acts,$(1),$(2),$(layer)))
by_layer = $(OUT)/layers/$(1)/$(2).csv
choice = $(OUT)/chosen/$(1)/$(2).csv
units = $(OUT)/units/$(1)/$(2)/t$(4)/$(3).csv
validated = $(OUT)/finding1/$(1)/$(2)/$(3).csv
people = $(foreach subject,$(SUBJECTS),$(call brain,$(1),$(subject),$(2)))
responses = $(OUT)/models/$(1)/t$(3)/$(2).npy
all_responses = $(foreach model,$(MODELS),$(call responses,$(1),$(model),$(2)))
# layer SET MODEL DOMAIN, in a recipe: the layer that was chosen; where none was, the last one and a t that no unit has.
layer = layer=$$$$(npy stack -q --where 'contrast="$(call contrast,$(1),$(3))"' --columns array $(call choice,$(1),$(2)) | sed 1d); \
	none=; [ -n "$$$$layer" ] || { none=inf; layer=$(lastword $(call layers,$(2))); }
# A set without a unit and a region without a voxel have no column. They stay out of what is computed and keep a row with
# their reason in every table; left-out.csv lists them. REGION T: that list of a region.
left_out = $(OUT)/left-out/$(1)/t$(2).csv
# Functions of recipes, which set `ready` where there is something to compute and `people` to the files that have a voxel:
# filled FILES          those that have a column
# lacking LIST CELLS NETWORK..
#                       lines `NETWORK,CELLS,REASON` of those that LIST leaves out; all of them without `people`
# rows TABLE HEADER LINES NEEDED COMMAND..
#                       the table of COMMAND, where `ready`, and LINES below it; else these, with the columns NEEDED
define functions
filled() { for file; do npy info -q "$$$$file" | sed 1d | cut -d, -f2 | grep -q 'x0$$$$' || echo "$$$$file"; done; }; \
lacking() { local list=$$$$1 cells=$$$$2; shift 2; \
    if [ -z "$$$$people" ]; then printf "%s,$$$$cells,too_few_voxels\n" "$$$$@"; \
    else awk -F, -v who=" $$$$* " -v cells="$$$$cells" '$$$$1 == "network" && index(who, " " $$$$2 " ") { print $$$$2 "," cells "," $$$$3 }' "$$$$list"; fi; }; \
rows() { local table=$$$$1 header=$$$$2 lines=$$$$3 needed=$$$$4 part=$$$${1%/*}/computed/$$$${1##*/}; shift 4; rm -f "$$$$part" "$$$${part%.*}.json"; \
    if [ -z "$$$$lines" ]; then "$$$$@" -o "$$$$table"; return; fi; \
    if [ -n "$$$$ready" ]; then mkdir -p "$$$${part%/*}"; "$$$$@" -o "$$$$part"; needed=$$$$header; else part=; fi; \
    printf '%s\n' "$$$$header" "$$$$lines" | npy stack -q --fill $$$$part - <(echo "$$$$needed") -o "$$$$table"; };
endef

# -- Activations: one pass of a network over a set, all its layers
define ACTS
$(call all_acts,$(1),$(2)) &: $($(call base,$(2)).onnx) $($(1).table) $(OUT)/settings/$(call base,$(2)).txt $(if $(call calibrated,$(1),$(2)),$(call table,$(localizer)) $(OUT)/settings/calibration.txt)
	ann-acts $(quiet) $$< $($(call base,$(2)).steps) $(foreach l,$(call layers,$(2)),--layer $(l)) \
	    $(if $(call seed,$(2)),--untrained $(call seed,$(2)) $(if $(call calibrated,$(1),$(2)),--calibrate-on $(call table,$(localizer)))) \
	    --out-dir $(OUT)/acts/$(1)/$(2) $($(1).table)
endef
define PART_OF_ACTS
$(call acts,$(1),$(2),%): $(call acts,$($(1).of),$(2),%) $(call table,$(1)) $(OUT)/settings/study.txt
	@mkdir -p $$(@D)
	npy rows -q --stimuli $(call table,$(1)) --where '$($(1).where)' $$< -o $$@
endef
$(foreach set,$(SETS),$(foreach model,$(MODELS),$(eval $(call $(if $($(set).of),PART_OF_ACTS,ACTS),$(set),$(model)))))

# -- Finding 1: selective units, layer by layer; the layer that represents a network; validation on other pictures
define CHOICE
$(call by_layer,$(1),$(2)) $(call choice,$(1),$(2)) &: $(call all_acts,$(1),$(2)) $(call table,$(1)) $(filter %.npy,$(call choose,$(1))) $(OUT)/settings/study.txt
	@mkdir -p $(OUT)/layers/$(1) $(OUT)/chosen/$(1)
	unit-stats layers $(quiet) $(call stimuli,$(1)) --t $(T) --choose $(call choose,$(1)) --chosen $(call choice,$(1),$(2)) \
	    $(foreach domain,$(call domains,$(1)),--contrast '$(call contrast,$(1),$(domain))') $(call all_acts,$(1),$(2)) -o $(call by_layer,$(1),$(2))
endef
define UNITS
$(call units,$(1),$(2),$(3),$(4)): $(call choice,$(1),$(2))
	@mkdir -p $$(@D)
	$(call layer,$(1),$(2),$(3)); \
	select-units $(quiet) $(call stimuli,$(1)) --t $$$${none:-$(4)} --contrast '$(call contrast,$(1),$(3))' $(OUT)/acts/$(1)/$(2)/$$$$layer.npy -o $$@
endef
define VALIDATED
$(call validated,$(1),$(2),$(3)): $(call units,$(1),$(2),$(3),$(T)) $(call all_acts,$(VALIDATION),$(2))
	@mkdir -p $$(@D)
	$(call layer,$(1),$(2),$(3)); \
	unit-stats validate $(quiet) $(call stimuli,$(VALIDATION)) --units $$< $(OUT)/acts/$(VALIDATION)/$(2)/$$$$layer.npy -o $$@
endef
$(foreach set,$(LOCALIZERS),$(foreach model,$(MODELS),$(eval $(call CHOICE,$(set),$(model))) \
    $(foreach domain,$(call domains,$(set)),$(eval $(call VALIDATED,$(set),$(model),$(domain))) \
        $(foreach t,$(sort $(T) $(thresholds)),$(eval $(call UNITS,$(set),$(model),$(domain),$(t)))))))

$(OUT)/finding1.csv: $(foreach set,$(LOCALIZERS),$(foreach model,$(MODELS),$(call choice,$(set),$(model))))
	npy stack -q --path '{localizer}/{network}.csv' $^ -o $@
$(OUT)/layers.csv: $(foreach model,$(MODELS),$(call by_layer,$(localizer),$(model)))
	npy stack -q --path 'layers/$(localizer)/{model}.csv' $^ -o $@
# A network beside its twins; the layers of other networks are called otherwise.
define LAYERS
$(OUT)/finding1/layers-$(1).svg: $(foreach model,$(1) $(SEEDS:%=$(1)-untrained-%),$(call by_layer,$(localizer),$(model)))
	@mkdir -p $$(@D)
	npy stack -q --path 'layers/$(localizer)/{model}.csv' $$^ | \
	    figure layers --quiet --allow-empty $(if $(SEEDS),--untrained $(subst $() $(),$(comma),$(SEEDS:%=$(1)-untrained-%))) --facet contrast --title '$(1): units of $(localizer)' -o $$@
endef
$(foreach model,$(NETWORKS),$(eval $(call LAYERS,$(model))))
$(OUT)/validated.csv: $(foreach set,$(filter-out $(VALIDATION),$(LOCALIZERS)),$(foreach model,$(MODELS),$(foreach domain,$(call domains,$(set)),$(call validated,$(set),$(model),$(domain)))))
	npy stack -q --path '{localizer}/{model}/{chosen_for}.csv' $^ -o $@
define RESPONSES
$(OUT)/finding1/$(1)-$(2).svg: $(foreach domain,$(call domains,$(1)),$(call validated,$(1),$(2),$(domain)))
	npy stack -q $$^ | figure responses --quiet --allow-empty --facet contrast --title '$(2): units of $(1), t > $(T), shown $(VALIDATION)' -o $$@
endef
$(foreach model,$(MODELS),$(eval $(call RESPONSES,$(localizer),$(model))))
finding1 := $(OUT)/finding1.csv $(OUT)/validated.csv $(OUT)/layers.csv $(NETWORKS:%=$(OUT)/finding1/layers-%.svg) \
    $(foreach model,$(NETWORKS) $(firstword $(TWINS)),$(OUT)/finding1/$(localizer)-$(model).svg)

# -- People: regions from the localizer's betas, and their trials of PICTURES
define REGION
$(OUT)/brain/$(1)/t$(3)/$(2).csv: $(call localizer_betas,$(2)) $(PARCELS) $(LABELS) $(call table,$(localizer)) $(OUT)/settings/study.txt
	@mkdir -p $$(@D)
	fmri-roi contrast $(quiet) $(call stimuli,$(localizer)) --contrast '$(call contrast,$(localizer),$($(1).domain))' $$< | \
	    fmri-roi define $(quiet) --stat - --like $(PARCELS) --parcels $(PARCELS) --labels $(LABELS) --name $(1) --t $(3) -o $$@
$(call brain,$(1),$(2),$(3)): $(OUT)/brain/$(1)/t$(3)/$(2).csv $(call main_betas,$(2)) $(if $($(PICTURES).of),$(call table,$(PICTURES)))
	fmri-roi extract $(quiet) --roi $$< $(call main_betas,$(2)) $(if $($(PICTURES).of),| npy rows -q --stimuli $(call table,$(PICTURES)) --where '$($(PICTURES).where)') -o $$@
endef
$(if $(localizer_betas),$(foreach region,$(REGIONS),$(foreach subject,$(SUBJECTS),$(foreach t,$(sort $(T) $(thresholds)),\
    $(eval $(call REGION,$(region),$(subject),$(t)))))))

# -- Findings 2 and 3: the selected units' responses to PICTURES beside people's, as mean profiles and as RDMs
define RESPONSES_OF_UNITS
$(call responses,$(1),$(2),$(3)): $(call units,$(localizer),$(2),$($(1).domain),$(3)) $(call all_acts,$(PICTURES),$(2))
	@mkdir -p $$(@D)
	$(call layer,$(localizer),$(2),$($(1).domain)); \
	npy cols -q --units $$< --array $$$$layer $(OUT)/acts/$(PICTURES)/$(2)/$$$$layer.npy | npy label --names '$(2)' -o $$@
endef
define LEFT_OUT
$(call left_out,$(1),$(2)): $(call people,$(1),$(2)) $(call all_responses,$(1),$(2)) $(OUT)/settings/study.txt
	@mkdir -p $$(@D)
	$(functions) { echo role,name,reason; \
	    for one in $(foreach model,$(MODELS),$(model)=$(call responses,$(1),$(model),$(2))); do \
	        [ -n "$$$$(filled "$$$${one#*=}")" ] || echo "network,$$$${one%%=*},too_few_units"; done; \
	    for one in $(foreach subject,$(SUBJECTS),$(subject)=$(call brain,$(1),$(subject),$(2))); do \
	        [ -n "$$$$(filled "$$$${one#*=}")" ] || echo "person,$$$${one%%=*},too_few_voxels"; done; } | npy stack -q - -o $$@
endef
define SIZES
$(OUT)/regions/$(1).csv: $(call people,$(1),$(T)) $(OUT)/settings/study.txt
	@mkdir -p $$(@D)
	npy info -q $(call people,$(1),$(T)) -o $$@
endef
define RDMS
$(OUT)/rdms/$(1).models.npy: $(call all_responses,$(1),$(T))
	@mkdir -p $$(@D)
	$(functions) models=$$$$(filled $$^); if [ -n "$$$$models" ]; then rsa rdm $(quiet) --allow-nan $$$$models -o $$@; else : > $$@; fi
$(OUT)/rdms/$(1).people.npy: $(call people,$(1),$(T)) $(OUT)/settings/study.txt
	@mkdir -p $$(@D)
	$(functions) people=$$$$(filled $(call people,$(1),$(T))); if [ -z "$$$$people" ]; then : > $$@; exit; fi; \
	for one in $(foreach subject,$(SUBJECTS),$(subject)=$(call brain,$(1),$(subject),$(T))); do \
	    if [ -n "$$$$(filled "$$$${one#*=}")" ]; then npy average -q "$$$${one#*=}" | npy label --names "$$$${one%%=*}"; fi; \
	done | rsa rdm $(quiet) --allow-nan -o $$@
endef
define PROFILE_SCORES
$(OUT)/finding2/$(1).csv: $(call people,$(1),$(T)) $(call all_responses,$(1),$(T)) $(call left_out,$(1),$(T))
	@mkdir -p $$(@D)
	$(functions) models=$$$$(filled $(call all_responses,$(1),$(T))); people=$$$$(filled $(call people,$(1),$(T))); \
	ready=$$$${people:+$$$$models}; rows $$@ model,subject,reason "$$$$(lacking $(call left_out,$(1),$(T)) mean $(MODELS))" compare,r \
	    tuning compare $(quiet) $$$$models --brain $$$$people $(TUNING)
endef
define RDM_SCORES
$(OUT)/finding3/$(1).csv: $(OUT)/rdms/$(1).models.npy $(OUT)/rdms/$(1).people.npy $(call left_out,$(1),$(T))
	@mkdir -p $$(@D)
	$(functions) people=$$$$(filled $(call people,$(1),$(T))); ready=; [ ! -s $$< ] || ready=$$$$people; several=$$$$(wc -w <<< "$$$$people"); \
	rows $$@ model,subject,reason "$$$$(lacking $(call left_out,$(1),$(T)) mean $(MODELS))" compare,n_pairs,r \
	    rsa compare $(quiet) --allow-nan $$$$([ $$$$several -lt 2 ] || echo --ceiling) $$< --brain $$(word 2,$$^)
endef
# People against each other, and the gap to every model (Figure 4f), for each threshold.
define BETWEEN
$(OUT)/between/$(1)/$(2)-t$(3).csv: $(call people,$(1),$(3)) $(call all_responses,$(1),$(3)) $(call left_out,$(1),$(3))
	@mkdir -p $$(@D)
	$(functions) models=$$$$(filled $(call all_responses,$(1),$(3))); people=$$$$(filled $(call people,$(1),$(3))); \
	lines=$$$$(awk -F, '$$$$1 == "person" { print $$$$2 ",subject,$(2)," $$$$3 }' $(call left_out,$(1),$(3))); \
	[ $$$$(wc -w <<< "$$$$people") -gt 1 ] || { people=; lines+=$$$$'\nmedian,summary,$(2),too_few_voxels'; }; \
	ready=$$$$people; lines+=$$$$'\n'$$$$(lacking $(call left_out,$(1),$(3)) model,$(2) $(MODELS)); lines=$$$$(sed '/^$$$$/d' <<< "$$$$lines"); \
	rows $$@ subject,role,stat,reason "$$$$lines" compare,n_voxels,median_pairwise,median_pairwise_norm,gap,gap_norm \
	    ceiling between $(quiet) $(if $(filter rdm,$(2)),--allow-nan) --stat $(2) $$$$people $$$${models:+--models $$$$models}
endef
define SCORES_FIGURE
$(OUT)/$(2)/$(1).svg: $(OUT)/$(2)/$(1).csv $(if $(several_people),$(OUT)/between/$(1)/$(3)-t$(T).csv) $(OUT)/settings/page.txt
	$(functions) people=$$$$(filled $(call people,$(1),$(T))); \
	figure scores --quiet --allow-empty $$< $(if $(several_people),$$$$([ $$$$(wc -w <<< "$$$$people") -lt 2 ] || echo --humans $$(word 2,$$^))) --title "$(1)$$$$STUDY_PEOPLE: $(4)" -o $$@
endef
$(foreach region,$(REGIONS),$(eval $(call SIZES,$(region))) $(eval $(call RDMS,$(region))) $(eval $(call PROFILE_SCORES,$(region))) $(eval $(call RDM_SCORES,$(region))) \
    $(eval $(call SCORES_FIGURE,$(region),finding2,profile,response to each picture)) \
    $(eval $(call SCORES_FIGURE,$(region),finding3,rdm,dissimilarities of the pictures)) \
    $(foreach t,$(sort $(T) $(thresholds)),$(foreach stat,$(STATS),$(eval $(call BETWEEN,$(region),$(stat),$(t)))) \
        $(eval $(call LEFT_OUT,$(region),$(t))) $(foreach model,$(MODELS),$(eval $(call RESPONSES_OF_UNITS,$(region),$(model),$(t))))))

$(OUT)/left-out.csv: $(foreach region,$(REGIONS),$(foreach t,$(sort $(T) $(thresholds)),$(call left_out,$(region),$(t))))
	npy stack -q --path 'left-out/{region}/t{threshold}.csv' $^ -o $@
$(OUT)/finding2.csv: $(REGIONS:%=$(OUT)/finding2/%.csv)
	npy stack -q --fill --path 'finding2/{region}.csv' --where subject=mean $^ -o $@
$(OUT)/finding3.csv: $(REGIONS:%=$(OUT)/finding3/%.csv)
	npy stack -q --fill --path 'finding3/{region}.csv' --where subject=mean $^ -o $@
$(OUT)/humans.csv: $(foreach region,$(REGIONS),$(foreach stat,$(STATS),$(OUT)/between/$(region)/$(stat)-t$(T).csv))
	npy stack -q --fill --path 'between/{region}/{of}-t{threshold}.csv' --where role=summary,model $^ -o $@
$(OUT)/regions.csv: $(REGIONS:%=$(OUT)/regions/%.csv)
	npy stack -q --path 'regions/{region}.csv' $^ -o $@
# All systems against all: one table, one matrix, one map (Figures 3c and 3d).
$(OUT)/finding3/pairs.csv $(OUT)/finding3/pairs.npy &: $(foreach region,$(REGIONS),$(OUT)/rdms/$(region).models.npy $(OUT)/rdms/$(region).people.npy)
	there() { for region in $(REGIONS); do [ ! -s $(OUT)/rdms/$$region.$$1.npy ] || echo $(OUT)/rdms/$$region.$$1.npy; done; }; \
	names() { for file in $$(there $$1); do region=$${file##*/}; npy info -q $$file | sed 1d | cut -d, -f11 | sed "s/^/$${region%.$$1.npy} /"; done | paste -sd,; }; \
	models=$$(there models); people=$$(there people); \
	if [ -n "$$models" ] && [ -n "$$people" ]; then \
	    rsa compare $(quiet) --allow-nan $$models --names "$$(names models)" --brain $$people --brain-names "$$(names people)" \
	        --all-pairs --matrix $(OUT)/finding3/pairs.npy -o $(OUT)/finding3/pairs.csv; \
	else \
	    rm -f $(OUT)/finding3/pairs*.json; : > $(OUT)/finding3/pairs.npy; \
	    if [ -n "$$people" ]; then reason=too_few_units; else reason=too_few_voxels; fi; \
	    printf '%s\n' a,block_a,b,block_b,r,reason networks,model,people,brain,NaN,$$reason | npy stack -q - -o $(OUT)/finding3/pairs.csv; \
	fi
$(OUT)/finding3/pairs.svg: $(OUT)/finding3/pairs.csv $(OUT)/settings/page.txt
	figure matrix --quiet --allow-empty --title "RDMs of networks and people$$STUDY_PEOPLE" $< -o $@
# A map needs three systems with numbers: 3 x 3 cells.
$(OUT)/finding3/map.svg: $(OUT)/finding3/pairs.npy
	n=0; [ ! -s $< ] || n=$$(npy info -q $< | awk -F, 'NR == 2 { split($$2, n, "x"); print n[1] * n[2] - $$9 }'); \
	if [ $$n -ge 9 ]; then rsa mds $(quiet) --similarity $<; else printf '%s\n' array,stimulus,x,y,stress,reason pairs,,,,,no_usable_pair; fi | \
	    figure mds --quiet --allow-empty --names always -o $@
finding2 := $(OUT)/left-out.csv $(OUT)/regions.csv $(if $(several_people),$(OUT)/humans.csv) $(if $(filter profile,$(STATS)),$(OUT)/finding2.csv $(REGIONS:%=$(OUT)/finding2/%.svg))
finding3 := $(if $(filter rdm,$(STATS)),$(OUT)/finding3.csv $(REGIONS:%=$(OUT)/finding3/%.svg) $(OUT)/finding3/pairs.svg $(OUT)/finding3/map.svg)

# -- Robustness: the threshold, and a second localizer (Figure 4)
$(OUT)/gaps.csv: $(foreach region,$(REGIONS),$(foreach stat,$(STATS),$(foreach t,$(thresholds),$(OUT)/between/$(region)/$(stat)-t$(t).csv)))
	npy stack -q --fill --path 'between/{preferred}/{of}-t{threshold}.csv' --where role=model \
	    --columns threshold,array=subject,preferred,stat,median_pairwise,median_pairwise_norm,gap,gap_norm,n_units=n_voxels,reason $^ -o $@
$(OUT)/robustness/gaps.svg: $(OUT)/gaps.csv $(OUT)/settings/page.txt
	@mkdir -p $(@D)
	npy stack -q --where array=$(subst $() $(),$(comma),$(NETWORKS)) $< | \
	    figure thresholds --quiet --allow-empty --value gap --facet stat --title "People among themselves less people and networks$$STUDY_PEOPLE" -o $@
define COUNTS
$(OUT)/robustness/$(1)/$(2).csv: $(foreach domain,$(call domains,$(1)),$(call units,$(1),$(2),$(domain),$(firstword $(thresholds))))
	@mkdir -p $$(@D)
	if [ -n "$$$$(npy stack -q --columns unit $$^ | sed 1d | tr -d '\n')" ]; then \
	    npy stack -q $$^ | unit-stats overlap $(quiet) --thresholds $(subst $() $(),$(comma),$(thresholds)) - -o $$@; \
	else \
	    { echo array,preferred,threshold,n_selected,mean_selectivity_index,reason; \
	      printf '%s\n' $(foreach domain,$(call domains,$(1)),$(thresholds:%=none$(comma)$(domain)$(comma)%$(comma)0$(comma)$(comma)too_few_units)); } | npy stack -q - -o $$@; \
	fi
$(OUT)/robustness/$(1)/$(2).svg: $(OUT)/robustness/$(1)/$(2).csv
	figure thresholds --quiet --allow-empty --title '$(2): units of $(1)' $$< -o $$@
endef
# Of both, the units of the layers that the first one chose.
define SECOND_UNITS
$(OUT)/robustness/localizers/$(1)/$(2).csv: $(call choice,$(localizer),$(1)) $(call all_acts,$(second),$(1)) $(call table,$(second))
	@mkdir -p $$(@D)
	$(call layer,$(localizer),$(1),$(2)); \
	select-units $(quiet) $(call stimuli,$(second)) --t $$$${none:-$(T)} --contrast '$(call contrast,$(second),$(2))' $(OUT)/acts/$(second)/$(1)/$$$$layer.npy -o $$@
endef
define TWO_LOCALIZERS
$(OUT)/robustness/localizers/$(1).csv: $(foreach domain,$(shared),$(call units,$(localizer),$(1),$(domain),$(T)) $(OUT)/robustness/localizers/$(1)/$(domain).csv)
	npy stack -q $(foreach domain,$(shared),$(call units,$(localizer),$(1),$(domain),$(T))) -o $(OUT)/robustness/localizers/$(1)/first.csv
	npy stack -q $(foreach domain,$(shared),$(OUT)/robustness/localizers/$(1)/$(domain).csv) -o $(OUT)/robustness/localizers/$(1)/second.csv
	unit-stats overlap $(quiet) $(OUT)/robustness/localizers/$(1)/first.csv $(OUT)/robustness/localizers/$(1)/second.csv -o $$@
endef
shared := $(if $(second),$(filter $(call domains,$(second)),$(call domains,$(localizer))))
$(foreach model,$(MODELS),$(eval $(call COUNTS,$(localizer),$(model))) $(if $(second),$(eval $(call TWO_LOCALIZERS,$(model))) \
    $(foreach domain,$(shared),$(eval $(call SECOND_UNITS,$(model),$(domain))))))
$(OUT)/localizers.csv: $(MODELS:%=$(OUT)/robustness/localizers/%.csv)
	npy stack -q --path 'localizers/{model}.csv' $^ -o $@
$(NETWORKS:%=$(OUT)/robustness/localizers/%.svg): %.svg: %.csv
	figure overlap --quiet --allow-empty --names $(localizer)$(comma)$(second) --title '$(notdir $*): units of two localizers' $< -o $@
robustness := $(NETWORKS:%=$(OUT)/robustness/$(localizer)/%.svg) $(if $(several_people),$(OUT)/gaps.csv $(OUT)/robustness/gaps.svg) \
    $(if $(second),$(OUT)/localizers.csv $(NETWORKS:%=$(OUT)/robustness/localizers/%.svg))

# -- Finding 4: encoding models of a region from all units, without the selected, and from them alone
define ABLATION
$(OUT)/finding4/$(1).averages.npy: $(SUBJECTS:%=$(OUT)/finding4/people/$(1)/%.npy) $(OUT)/settings/study.txt
	people=; for one in $(SUBJECTS:%=$(OUT)/finding4/people/$(1)/%.npy); do [ ! -s $$$$one ] || people+=" $$$$one"; done; \
	if [ -n "$$$$people" ]; then npy cat -q --columns $$$$people | npy label --names '$(1)' -o $$@; else : > $$@; fi
$(OUT)/finding4/$(1).ceiling.csv: $(SUBJECTS:%=$(OUT)/finding4/people/$(1)/%.csv) $(OUT)/settings/study.txt
	people=; for one in $(SUBJECTS:%=$(OUT)/finding4/people/$(1)/%.csv); do [ ! -s $$$$one ] || people+=" $$$$one"; done; \
	if [ -n "$$$$people" ]; then npy stack -q --fill --path '$(1)/{person}.csv' $$$$people -o $$@; else : > $$@; fi
$(OUT)/finding4/$(1).svg: $(NETWORKS:%=$(OUT)/finding4/$(1)/%.csv) $(if $(TRIALS),$(OUT)/finding4/$(1).ceiling.csv) $(OUT)/settings/page.txt
	figure ablation --quiet --allow-empty $(NETWORKS:%=$(OUT)/finding4/$(1)/%.csv) \
	    $(if $(TRIALS),$$$$([ ! -s $(OUT)/finding4/$(1).ceiling.csv ] || echo --ceiling $(OUT)/finding4/$(1).ceiling.csv)) --title "$(1)$$$$STUDY_PEOPLE" -o $$@
endef
# A person's trials, who may have seen a picture more or less often than others: the averages, and what bounds them.
define ONE_PERSON
$(OUT)/finding4/people/$(1)/$(2).npy: $(call brain,$(1),$(2),$(T))
	@mkdir -p $$(@D)
	$(functions) if [ -n "$$$$(filled $$<)" ]; then npy average -q $$< -o $$@; else : > $$@; fi
$(OUT)/finding4/people/$(1)/$(2).csv: $(call brain,$(1),$(2),$(T))
	@mkdir -p $$(@D)
	$(functions) if [ -n "$$$$(filled $$<)" ]; then ceiling voxel $(quiet) $$< -o $$@; else : > $$@; fi
endef
define ABLATED
$(OUT)/finding4/$(1)/$(2).csv: $(call units,$(localizer),$(2),$($(1).domain),$(T)) $(call all_acts,$(PICTURES),$(2)) $(OUT)/finding4/$(1).averages.npy
	@mkdir -p $$(@D)
	$(functions) $(call layer,$(localizer),$(2),$($(1).domain)); ready=; lines=$(1),mean,too_few_voxels; \
	[ ! -s $(OUT)/finding4/$(1).averages.npy ] || lines=; \
	rows $$@ array,statistic,reason "$$$$lines" score,all,without,only,without_random,without_random_lo,without_random_hi,only_random,only_random_lo,only_random_hi \
	    encode ablate $(quiet) --x $(OUT)/acts/$(PICTURES)/$(2)/$$$$layer.npy --y $(OUT)/finding4/$(1).averages.npy --units $$< --array $$$$layer \
	    --by region --cv $(CV) --draws $(DRAWS)
endef
$(foreach region,$(REGIONS),$(eval $(call ABLATION,$(region))) $(foreach subject,$(SUBJECTS),$(eval $(call ONE_PERSON,$(region),$(subject)))) $(foreach model,$(NETWORKS),$(eval $(call ABLATED,$(region),$(model)))))
$(OUT)/finding4.csv: $(foreach region,$(REGIONS),$(NETWORKS:%=$(OUT)/finding4/$(region)/%.csv))
	npy stack -q --fill --path 'finding4/{region}/{model}.csv' $^ -o $@
finding4 := $(OUT)/finding4.csv $(REGIONS:%=$(OUT)/finding4/%.svg)

# -- Finding 5: the pictures where networks and people part, and what these have in common
define APART
$(OUT)/finding5/$(1).csv: $(call people,$(1),$(T)) $(NETWORKS:%=$(call responses,$(1),%,$(T))) $(call left_out,$(1),$(T))
	@mkdir -p $$(@D)
	$(functions) models=$$$$(filled $(NETWORKS:%=$(call responses,$(1),%,$(T)))); people=$$$$(filled $(call people,$(1),$(T))); \
	ready=$$$${people:+$$$$models}; rows $$@ model,subject,reason "$$$$(lacking $(call left_out,$(1),$(T)) mean $(NETWORKS))" rank,stimulus,model_z,brain_z \
	    tuning diverge $(quiet) $$$$models --brain $$$$people
$(OUT)/finding5/$(1).svg: $(OUT)/finding5/$(1).csv $(call table,$(PICTURES)) $(OUT)/settings/page.txt
	figure scatter --quiet --allow-empty --stimuli $(call table,$(PICTURES)) --by $($(or $($(PICTURES).of),$(PICTURES)).by) --images $(call table,$(PICTURES)) \
	    --title "$(1)$$$$STUDY_PEOPLE" $$< -o $$@
$(OUT)/finding5/groups/$(1).csv: $(call people,$(1),$(T)) $(NETWORKS:%=$(call responses,$(1),%,$(T))) $(call left_out,$(1),$(T))
	@mkdir -p $$(@D)
	$(functions) models=$$$$(filled $(NETWORKS:%=$(call responses,$(1),%,$(T)))); people=$$$$(filled $(call people,$(1),$(T))); \
	ready=$$$${people:+$$$$models}; rows $$@ model,subject,effect,reason "$$$$(lacking $(call left_out,$(1),$(T)) mean,interaction $(NETWORKS))" estimate,p \
	    tuning diverge $(quiet) $$$$models --brain $$$$people \
	    --stimuli $(call table,$(PICTURES)) $(call inner,$(PICTURES)) --group $($(1).group) --contrast '$($(1).groups)' $(DIVERGE)
endef
grouped := $(foreach region,$(REGIONS),$(if $($(region).group),$(region)))
$(foreach region,$(REGIONS),$(eval $(call APART,$(region))))
$(OUT)/finding5.csv: $(grouped:%=$(OUT)/finding5/groups/%.csv)
	npy stack -q --fill --path 'groups/{region}.csv' $^ -o $@
finding5 := $(if $(grouped),$(OUT)/finding5.csv) $(REGIONS:%=$(OUT)/finding5/%.csv) $(REGIONS:%=$(OUT)/finding5/%.svg)

# -- Lu & Wang: number, specificity, spread over maps, strength and consistency of selected units, layer by layer
define LU_WANG
$(OUT)/lu-wang/$(1).csv $(OUT)/lu-wang/consistency/$(1).csv &: $(call all_acts,$(localizer),$(1)) $(call table,$(localizer)) $(OUT)/settings/study.txt
	@mkdir -p $(OUT)/lu-wang/consistency
	unit-stats layers $(quiet) $(call stimuli,$(localizer)) --t $(T) $(foreach domain,$(call domains,$(localizer)),--contrast '$(call contrast,$(localizer),$(domain))') \
	    --consistency $(OUT)/lu-wang/consistency/$(1).csv $(call all_acts,$(localizer),$(1)) -o $(OUT)/lu-wang/$(1).csv
endef
$(foreach model,$(NETWORKS),$(eval $(call LU_WANG,$(model))))
$(OUT)/lu-wang.csv: $(NETWORKS:%=$(OUT)/lu-wang/%.csv)
	npy stack -q --path 'lu-wang/{model}.csv' $^ -o $@
$(OUT)/consistency.csv: $(NETWORKS:%=$(OUT)/lu-wang/consistency/%.csv)
	npy stack -q --path 'consistency/{network}.csv' $^ -o $@
$(NETWORKS:%=$(OUT)/lu-wang/%.svg): %.svg: %.csv
	figure layers --quiet --allow-empty --value proportion,specificity,mean_dprime,activation_z --facet contrast --title '$(notdir $*)' $< -o $@
# Networks with and without language, layer by layer: they need the same layers.
$(OUT)/language.csv: $(foreach model,$(VISION) $(LANGUAGE),$(call all_acts,$(localizer),$(model))) $(OUT)/settings/study.txt
	unit-stats layers $(quiet) $(call stimuli,$(localizer)) --t $(T) $(foreach domain,$(call domains,$(localizer)),--contrast '$(call contrast,$(localizer),$(domain))') \
	    --models $(subst $() $(),$(comma),$(VISION) $(LANGUAGE)) --against $(VISION) $(foreach model,$(VISION) $(LANGUAGE),<(cat $(call all_acts,$(localizer),$(model)))) -o $@
lu-wang := $(OUT)/lu-wang.csv $(OUT)/consistency.csv $(NETWORKS:%=$(OUT)/lu-wang/%.svg) $(if $(LANGUAGE),$(OUT)/language.csv)

# -- All of it, and one page
findings := finding1 finding2 finding3 robustness finding4 finding5 lu-wang
$(foreach finding,$(findings),$(eval $(finding): $($(finding))))
# Figures of what was a setting once are no part of it.
old = $(filter-out $(foreach finding,$(findings),$($(finding))),$(shell find $(wildcard $(OUT)/finding? $(OUT)/robustness $(OUT)/lu-wang) -name '*.svg'))
$(OUT)/report.html: $(foreach finding,$(findings),$($(finding))) $(ANSWER) $(OUT)/settings/study.txt $(OUT)/settings/page.txt
	rm -f $(old) $(old:.svg=.json)
	figure report --quiet $(OUT) --title "$$STUDY_TITLE" --question "$$STUDY_QUESTION" $(if $(ANSWER),--answer $(ANSWER)) -o $@
study: $(OUT)/report.html
