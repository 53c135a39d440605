import type { Metadata } from "next";
import { Videos } from "@/components/videos/videos";

export const metadata: Metadata = { title: "Videos" };

export default Videos;
