"use strict";
(() => {
	const find = (id) => document.getElementById(id);
	const rows = [...document.querySelectorAll("tr.requirement")];
	const details = (row) => {
		const all = [];
		for (let next = row.nextElementSibling; next && next.classList.contains("detail"); next = next.nextElementSibling) all.push(next);
		return all;
	};
	let texts = null;
	const textOf = (i) => {
		texts ??= rows.map((row) => [row, ...details(row)].map((each) => each.textContent).join(" ").toLowerCase());
		return texts[i];
	};

	// Evidence is HTML of ours by its identifier, compressed, in a template that costs nothing until it is used.
	let unpacked = null;
	const unpack = async () => {
		const packed = find("evidence").content.textContent.replaceAll("-", "+").replaceAll("_", "/");
		const bytes = Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));
		return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"))).json();
	};
	const fill = async (place) => {
		if (place.dataset.filled) return;
		place.dataset.filled = "yes";
		try {
			const shown = document.createElement("template");
			shown.innerHTML = (await (unpacked ??= unpack()))[place.dataset.evidence];
			place.append(shown.content);
		} catch (problem) {
			place.append(`This browser cannot show the evidence (${problem.message}); it is in the files of the results.`);
		}
	};
	const fillIn = (element) => {
		for (const place of element.querySelectorAll("[data-evidence]")) fill(place);
	};
	const open = (button, wanted) => {
		const detail = find(button.getAttribute("aria-controls"));
		const row = button.closest("tr");
		for (const other of row.querySelectorAll("button[aria-expanded]")) {
			const shown = wanted && other === button;
			other.setAttribute("aria-expanded", String(shown));
			find(other.getAttribute("aria-controls")).hidden = !shown;
		}
		if (wanted) for (const check of detail.querySelectorAll("details[open]")) fillIn(check);
	};
	document.addEventListener("click", (event) => {
		const button = event.target.closest("button[aria-expanded]");
		if (button) open(button, button.getAttribute("aria-expanded") !== "true");
	});
	document.addEventListener("keydown", (event) => {
		const typing = event.target.closest("input, select, textarea");
		if (event.key === "/" && !typing) {
			event.preventDefault();
			find("search").focus();
		} else if (event.key === "Escape") {
			if (event.target.id === "search") {
				find("search").value = "";
				apply();
				return;
			}
			const detail = event.target.closest("tr.detail");
			const button = detail ? document.querySelector(`[aria-controls="${detail.id}"]`) : event.target.closest("button[aria-expanded='true']");
			if (button) {
				open(button, false);
				button.focus();
			}
		}
	});
	document.addEventListener("toggle", (event) => {
		if (event.target.open) fillIn(event.target);
	}, true);

	// Filters.
	const apply = () => {
		const words = find("search").value.toLowerCase().split(/\s+/).filter(Boolean);
		const verdict = find("verdict").value;
		const kind = find("kind").value;
		const candidate = find("candidate") ? find("candidate").value : "";
		const show = (row) => {
			const cells = [...row.querySelectorAll("button[data-verdict]")].filter((cell) => candidate === "" || cell.dataset.candidate === candidate);
			const verdicts = cells.map((cell) => cell.dataset.verdict);
			if (kind !== "" && row.dataset.kind !== kind) return false;
			switch (verdict) {
			case "": return true;
			case "not-pass": return verdicts.some((each) => each !== "pass" && each !== "not-run");
			case "differs": return new Set(cells.map((cell) => cell.dataset.word)).size > 1;
			}
			return verdicts.includes(verdict);
		};
		let shown = 0;
		rows.forEach((row, i) => {
			const visible = show(row) && words.every((word) => textOf(i).includes(word));
			row.hidden = !visible;
			for (const button of row.querySelectorAll("button[aria-expanded='true']")) find(button.getAttribute("aria-controls")).hidden = !visible;
			if (visible) shown++;
		});
		for (const group of document.querySelectorAll("tbody.section")) {
			group.hidden = !group.querySelector("tr.requirement:not([hidden])");
		}
		find("shown").value = `${shown} of ${rows.length} requirements`;
	};
	for (const id of ["search", "verdict", "kind", "candidate"]) find(id)?.addEventListener("input", apply);
	find("reset").addEventListener("click", () => {
		for (const id of ["search", "verdict", "kind", "candidate"]) if (find(id)) find(id).value = "";
		apply();
		find("search").focus();
	});
	for (const needs of document.querySelectorAll(".needs-script")) needs.hidden = false;

	// A link to a requirement opens its first cell that is not a pass.
	const follow = () => {
		let id = "";
		try { id = decodeURIComponent(location.hash.slice(1)); } catch { return; }
		const row = id && find(id);
		const folded = row && row.closest("details");
		if (folded) {
			folded.open = true;
			row.scrollIntoView();
		}
		if (!row || !row.classList.contains("requirement")) return;
		if (row.hidden) find("reset").click();
		const cells = [...row.querySelectorAll("button[aria-expanded]")];
		const worth = cells.find((cell) => cell.dataset.verdict !== "pass" && cell.dataset.verdict !== "not-run") ?? cells[0];
		if (worth) open(worth, true);
		row.scrollIntoView();
	};
	addEventListener("hashchange", follow);
	apply();
	follow();
})();
