/** Has the browser save what lies at an address. The server's name for it goes before `name`. */
export function saveAs(address: string, name: string): void {
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
}
