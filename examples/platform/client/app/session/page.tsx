import type { Metadata } from "next";
import { SessionPage } from "@/components/session/session-page";

export const metadata: Metadata = { title: "Video" };

export default SessionPage;
