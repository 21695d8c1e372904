# The study of scripts/study.mk on real data (scripts/README.md, "Real data"): three networks, fLoc, another localizer, and
# FFA and VWFA of ONE person (Kay & Yeatman 2017). One value per region and picture, without trials: no RDM, no other
# people to compare with, and a reliability from the errors of estimation. Called by study.sh.
DATA := $(abspath $(CATSEL_DATA))
OUT := study
TITLE := Face and word units of three networks, and one person
QUESTION := Do units that fLoc finds in three networks answer as the FFA and the VWFA of one person do?
PEOPLE := $() (one person)

NETWORKS := $(foreach net,efficientnet-lite0 mobilenetv2-bottleneck dlib-face-resnet,$(if $(wildcard $(DATA)/models/$(net).onnx),$(net)))
efficientnet-lite0.onnx := $(DATA)/models/efficientnet-lite0.onnx
efficientnet-lite0.steps := --preprocess efficientnet-lite --resize 224x224 --interpolation bicubic
efficientnet-lite0.layers := block_05 block_10 block_15 pool
mobilenetv2-bottleneck.onnx := $(DATA)/models/mobilenetv2-bottleneck.onnx
mobilenetv2-bottleneck.steps := --preprocess imagenet --resize 224x224
mobilenetv2-bottleneck.layers := features_06 features_13 features_17 pool
dlib-face-resnet.onnx := $(DATA)/models/dlib-face-resnet.onnx
dlib-face-resnet.steps := --preprocess raw255 --resize 150x150
dlib-face-resnet.layers := conv64_1 conv128_1 conv256_1 pool
SEEDS ?= 1 2

SETS := floc other seen
LOCALIZERS := floc other
DOMAINS := faces bodies places objects characters
floc.table := $(DATA)/floc/stimuli.csv
floc.by := domain
floc.against := $(DOMAINS)
other.table := $(DATA)/second_localizer_ffaloc/stimuli.csv
other.by := domain
other.domains := faces places objects
VALIDATION := other

# The pictures that the person saw, with what the two studies of them say: 92 of 115 are those of Kriegeskorte et al. (2008).
PICTURES := seen
seen.table := $(OUT)/people/pictures.csv
seen.by := category
SUBJECTS := kay2017
REGIONS := FFA VWFA
FFA.domain := faces
VWFA.domain := characters
FFA.group := species
FFA.groups := human > animal
STATS := profile
TRIALS :=
brain = $(OUT)/people/$(1)/$(2).npy
# The share of the variance of its responses that is no error of estimation.
TUNING = --brain-reliability $$$$(cat $(OUT)/people/$(1)/reliability.txt)
DIVERGE = --noise-corrected $(TUNING)
CV := 10

include scripts/study.mk

$(OUT)/people/pictures.csv: $(DATA)/kayyeatman2017/responses.csv $(DATA)/kayyeatman2017/niko_to_kriegeskorte92.csv $(DATA)/kriegeskorte92/stimuli.csv
	@mkdir -p $(@D)
	awk -F, -v folder=$(DATA)/kayyeatman2017 'FILENAME ~ /stimuli.csv$$/ { kind[FNR - 2] = $$2; next } FILENAME ~ /niko_to/ { row[$$1] = $$3; next } \
	    FNR == 1 { print "stimulus,path,category,species,VWFA,FFA,VWFA_se,FFA_se"; next } \
	    { k = $$2 in row ? kind[row[$$2]] : tolower($$2); sub(/(con|ph)?[0-9]*$$/, "", k); \
	      print $$2 "," folder "/" $$1 "," k "," (k == "human face" ? "human" : k == "nonhuman face" ? "animal" : "n/a") "," $$3 "," $$4 "," $$5 "," $$6 }' \
	    $(DATA)/kriegeskorte92/stimuli.csv $(DATA)/kayyeatman2017/niko_to_kriegeskorte92.csv $< > $@.part && mv $@.part $@
define PERSON
$(OUT)/people/$(1)/kay2017.npy: $(OUT)/people/pictures.csv
	@mkdir -p $$(@D)
	npy from-csv -q --values $(1) $$< | npy label -q --names kay2017 -o $$@
	awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) at[$$$$i] = i; next } { v = $$$$at["$(1)"]; e = $$$$at["$(1)_se"]; n++; s += v; ss += v * v; t += e * e } \
	    END { printf "%.6f", 1 - (t / n) / ((ss - s * s / n) / (n - 1)) }' $$< > $$(@D)/reliability.txt
endef
$(foreach region,$(REGIONS),$(eval $(call PERSON,$(region))))
