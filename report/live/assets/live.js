"use strict";
(() => {
	const find = (id) => document.getElementById(id);
	const link = find("link");
	const shown = []; // the sections of the runs
	let states = [];

	// Texts of servers are set as text only.
	const make = (tag, name, text) => {
		const element = document.createElement(tag);
		if (name) element.className = name;
		if (text !== undefined) element.textContent = text;
		return element;
	};
	const time = (ms) => {
		const seconds = Math.max(0, Math.round(ms / 1000));
		return seconds < 60 ? `${seconds}s` : `${Math.floor(seconds / 60)}m${String(seconds % 60).padStart(2, "0")}s`;
	};
	const since = (from, to) => time((to ? Date.parse(to) : Date.now()) - Date.parse(from));
	const section = (i) => {
		if (!shown[i]) {
			const copy = find("run").content.cloneNode(true);
			const one = copy.querySelector("section");
			one.setAttribute("aria-label", states[i].candidate);
			one.querySelector("progress").setAttribute("aria-label", `checks of ${states[i].candidate} that are done`);
			for (const list of one.querySelectorAll(".running, .results")) list.tabIndex = 0;
			find("runs").append(copy);
			shown[i] = one;
		}
		return shown[i];
	};
	const verdicts = ["pass", "fail", "unsupported", "blocked", "inconclusive", "not-run", "error"];
	const about = (state) => {
		switch (state.phase) {
		case "waiting": return "waits for its turn";
		case "preparing": return state.activity;
		case "broke off": return "was killed before it had ended";
		}
		const took = state.started ? `, ${since(state.started, state.over)}` : "";
		const part = `${state.done} of ${state.total} checks${took}`;
		const unexpected = state.unexpected ? `; ${state.unexpected} not as expected` : "";
		if (state.phase === "ended") return `ended: ${part}${unexpected}`;
		const left = state.done > 20 && state.done < state.total ? `, about ${time((Date.now() - Date.parse(state.started)) / state.done * (state.total - state.done))} left` : "";
		return `${part}${left}${unexpected}`;
	};
	const draw = (state, i) => {
		const one = section(i);
		const part = (name) => one.querySelector(name);
		part(".name").textContent = state.candidate;
		part(".phase").textContent = about(state);
		part("progress").max = Math.max(1, state.total);
		part("progress").value = state.done;
		part(".counts").replaceChildren(...verdicts.filter((v) => state.counts[v]).map((v) => make("li", `v ${v}`, `${state.counts[v]} ${v}`)));
		part(".running").replaceChildren(...state.running.map((check) => {
			const item = make("li", "", check.check);
			item.append(" ", make("small", "", since(check.since)));
			return item;
		}));
		part(".now").hidden = state.running.length === 0;
		part(".title").textContent = state.unexpected ? "Results, first those that were not expected" : "Results";
		part(".results").replaceChildren(...state.results.map((result) => {
			const item = make("li", result.unexpected ? "unexpected" : "");
			item.append(make("span", `v ${result.verdict}`, result.verdict), ` ${result.check}`);
			if (result.took_ms) item.append(" ", make("small", "", `${(result.took_ms / 1000).toFixed(1)}s`));
			if (result.again && !result.final) item.append(" ", make("small", "", "a server died: it is judged again"));
			if (result.reason) item.append(make("br"), make("small", "", result.reason));
			return item;
		}));
		part(".deaths").hidden = !state.deaths || state.deaths.length === 0;
		part(".deaths ul").replaceChildren(...(state.deaths ?? []).map((death) => make("li", "", death)));
	};
	const drawAll = () => states.forEach(draw);

	const source = new EventSource("/events");
	source.addEventListener("state", (event) => {
		states = JSON.parse(event.data);
		link.textContent = "The page follows the run; the report opens in the end.";
		drawAll();
	});
	source.addEventListener("problem", (event) => { link.textContent = JSON.parse(event.data); });
	source.addEventListener("over", () => {
		source.close();
		location.replace("/report.html");
	});
	source.addEventListener("error", () => {
		link.textContent = source.readyState === EventSource.CLOSED ? "The server of this page has ended." : "The server of this page does not answer; trying again …";
	});
	// Times go on between events.
	setInterval(() => { for (const [i, state] of states.entries()) if (state.phase === "running") draw(state, i); }, 1000);
})();
