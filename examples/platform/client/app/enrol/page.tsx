import type { Metadata } from "next";
import { Enrol } from "@/components/enrol/enrol";

export const metadata: Metadata = { title: "Enrol" };

export default Enrol;
