// Sorts a table by the column whose head is pressed; numbers as numbers, what is none behind them.
for (const button of document.querySelectorAll("th button")) {
  button.addEventListener("click", () => {
    const head = button.closest("th");
    const table = head.closest("table");
    const column = [...head.parentNode.children].indexOf(head);
    const up = head.getAttribute("aria-sort") !== "ascending";
    for (const other of head.parentNode.children) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    const rows = [...table.tBodies[0].rows];
    const key = (row) => row.cells[column].textContent;
    const number = (text) => (text.trim() === "" ? NaN : Number(text));
    rows.sort((a, b) => {
      const [x, y] = [number(key(a)), number(key(b))];
      if (isNaN(x) && isNaN(y)) return up ? key(a).localeCompare(key(b)) : key(b).localeCompare(key(a));
      if (isNaN(x) || isNaN(y)) return isNaN(x) - isNaN(y);
      return up ? x - y : y - x;
    });
    table.tBodies[0].append(...rows);
  });
}
