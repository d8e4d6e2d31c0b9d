# Packages of Debian, the archive of the source, the bill of materials. All of them are the same bytes
# for the same input (tools/package/epoch).
REVISION ?= 1
OUT ?= $(B)/package

deb: ## a Debian package of it, in build/package; REVISION=2, OUT=DIR
	@tools/deps.sh deb
	@$(MAKE) --no-print-directory all
	@PYTHON='$(PYTHON)' tools/package/deb '$(VERSION)-$(REVISION)' '$(OUT)' $(MAKE)

dist: ## the source as one archive, in build/package
	@tools/package/dist '$(VERSION)' '$(OUT)/walferry-$(VERSION).tar.gz'

sbom: $(B)/walferry ## what is linked, as CycloneDX JSON, in build/package
	@tools/deps.sh deb
	@mkdir -p '$(OUT)'
	@$(PYTHON) tools/package/sbom $(B)/walferry '$(VERSION)' >'$(OUT)/walferry.cdx.json.new'
	@mv '$(OUT)/walferry.cdx.json.new' '$(OUT)/walferry.cdx.json'
	@echo '$(OUT)/walferry.cdx.json'

test-packages: ## the package built, installed, run by systemd, upgraded, purged in clean Debian roots
	@tools/deps.sh packages
	@tests/packages/run $(ARGS)

test-kubernetes: ## the manifests and the Helm chart against the schemas of Kubernetes
	@tools/deps.sh packages
	@$(MAKE) --no-print-directory all
	@$(PYTHON) -W ignore::DeprecationWarning tests/kubernetes/run

.PHONY: deb dist sbom test-packages test-kubernetes
