import { contain } from "@/lib/boxes";
import type { Box } from "@/lib/types";

export interface Shown {
  box: Box;
  label: string;
  colour: number;
  known: boolean;
}

/** The colours of the timeline (`--row-0`...), light enough on dark video and for dark letters on them. */
export const VIDEO_COLOURS = ["#5eead4", "#fbbf24", "#93c5fd", "#f9a8d4", "#bef264", "#c4b5fd", "#fdba74", "#67e8f9"];

/** Draws boxes in pixels of the video over it, wherever and however large it is shown. Unknown people have dashed boxes, so that
 * colour is not the only sign. */
export function draw(canvas: HTMLCanvasElement, video: HTMLVideoElement, shown: readonly Shown[]) {
  const ratio = window.devicePixelRatio || 1;
  const [width, height] = [video.clientWidth, video.clientHeight];
  const [wide, high] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== wide) canvas.width = wide;
  if (canvas.height !== high) canvas.height = high;
  const paint = canvas.getContext("2d");
  if (!paint) return;
  paint.setTransform(ratio, 0, 0, ratio, 0, 0);
  paint.clearRect(0, 0, width, height);
  if (video.videoWidth === 0) return;
  const { scale, left, top } = contain(video.videoWidth, video.videoHeight, width, height);
  const letters = width < 500 ? 11 : 13;
  paint.font = `600 ${letters}px ${getComputedStyle(canvas).fontFamily}`;
  paint.textBaseline = "middle";
  const placed = shown.map(({ box, colour, ...rest }) => ({
    ...rest,
    x1: left + box[0] * scale,
    y1: top + box[1] * scale,
    x2: left + box[2] * scale,
    y2: top + box[3] * scale,
    colour: VIDEO_COLOURS[colour % VIDEO_COLOURS.length] as string,
  }));
  for (const { x1, y1, x2, y2, colour, known } of placed) {
    paint.lineWidth = 4;
    paint.strokeStyle = "rgb(0 0 0 / 45%)";
    paint.setLineDash([]);
    paint.strokeRect(x1, y1, x2 - x1, y2 - y1);
    paint.lineWidth = 2;
    paint.strokeStyle = colour;
    paint.setLineDash(known ? [] : [6, 4]);
    paint.strokeRect(x1, y1, x2 - x1, y2 - y1);
  }
  // Names last: a box behind one does not cross it.
  for (const { x1, y1, x2, label, colour } of placed) {
    const text = fit(paint, label, Math.max(7 * letters, x2 - x1 - 12));
    const textWide = paint.measureText(text).width + 12;
    const textHigh = letters + 7;
    const textTop = y1 >= textHigh + 4 ? y1 - textHigh - 2 : Math.max(0, y1) + 2;
    const textLeft = Math.min(Math.max(0, x1 - 1), Math.max(0, width - textWide));
    paint.fillStyle = colour;
    paint.fillRect(textLeft, textTop, textWide, textHigh);
    paint.fillStyle = "#0b1210";
    paint.fillText(text, textLeft + 6, textTop + textHigh / 2 + 0.5);
  }
}

/** A name shortened to `most` pixels. */
function fit(paint: CanvasRenderingContext2D, text: string, most: number): string {
  if (paint.measureText(text).width <= most) return text;
  const letters = [...text];
  while (letters.length > 1 && paint.measureText(`${letters.join("")}…`).width > most) letters.pop();
  return `${letters.join("")}…`;
}
