// The report's boards: pictures that stand in the page become live, and their filters need no kernel.
const clvStatic = (() => {
  const { element, named, menu, signal, wayBack, nothing, Board } = clvBoard;

  const enliven = (root) => {
    const board = new Board();
    const selects = [...root.querySelectorAll(".clv-filters select")];
    board.shown = [...root.querySelectorAll("figure")].filter((figure) => figure.querySelector(".spec")).map((figure) => {
      const card = JSON.parse(figure.querySelector(".spec").textContent);
      const shown = { card, figure, holder: figure.querySelector(".clv-chart"), board, choice: card.choices?.first };
      const [details, panel] = menu(shown);
      if (details) figure.querySelector("figcaption").append(details);
      figure.append(wayBack(shown, () => reset(selects)), panel);
      figure.querySelector(".clv-title").replaceChildren(...named(card.title));
      nothing(shown, card.choices?.empty?.includes(shown.choice), false);
      return shown;
    });
    if (selects.length) {
      selects[0].closest(".clv-filters").hidden = false;
      const follow = () => board.shown.forEach((shown) => choose(shown, selects));
      selects.forEach((select) => select.addEventListener("change", follow));
    }
    return Promise.all(board.shown.filter(({ card }) => Object.keys(card.spec).length).map((shown) => board.draw(shown)));
  };

  // What a card says of the filters that were set and that it does not follow.
  const passedOver = (choices, selects) => {
    const followed = new Set((choices?.filters ?? []).map(([filter]) => filter));
    const set = selects.filter((select, i) => !followed.has(i) && !select.selectedOptions[0]?.defaultSelected);
    return set.length ? `not narrowed by ${set.map((select) => select.getAttribute("aria-label")).join(" and ")}` : "";
  };

  // Every filter as the board begins with it; where it was asked for is gone then, so the first filter has the focus.
  const reset = (selects) => {
    selects.forEach((select) => [...select.options].forEach((option) => (option.selected = option.defaultSelected)));
    const shown = selects.find((select) => select.offsetParent);
    shown.dispatchEvent(new Event("change", { bubbles: true }));
    shown.focus();
  };

  const choose = (shown, selects) => {
    const { choices } = shown.card;
    const choice = (choices?.filters ?? []).reduce((index, [filter, options]) => index * options + selects[filter].selectedIndex, 0);
    const [title, about] = choices ? choices.texts[choice] : (shown.begun ??= [shown.card.title, shown.card.subtitle]);
    const subtitle = [about, passedOver(choices, selects)].filter(Boolean).join("; ");
    Object.assign(shown.card, { title, subtitle });
    shown.figure.querySelector(".clv-title").replaceChildren(...named(title));
    const line = shown.figure.querySelector("figcaption p");
    if (line) line.textContent = subtitle;
    shown.holder.setAttribute("aria-label", `${title}. ${subtitle}`);
    if (!choices) return;
    shown.choice = choice;
    nothing(shown, choices.empty?.includes(choice), choice !== choices.first);
    shown.figure.querySelector(".clv-panel").hidden = true;
    if (choices.html) shown.holder.innerHTML = choices.html[choice];
    signal(shown.view, "choice", choice);
  };

  return { enliven };
})();
